"""What a network learned from: `dataset.json` beside aligned shards, the same in checkpoints, and in words on cards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facechange.core import TrainingError, hash_file
from facechange.core.files import write_whole
from facechange.core.stored import build, read_json
from facechange.data.labelled import LabelledFaces
from facechange.data.shards import read_lines

NAME = "dataset.json"
NOT_STATED = "not stated"
NOT_RECORDED = "Not recorded: the pictures were prepared before their data was written down."


@dataclass(frozen=True)
class Origin:
    """Faces of one origin and licence."""

    origin: str
    licence: str
    faces: int


@dataclass(frozen=True)
class Dataset:
    """A set of faces; `sha256` is that of each file that holds them, by its name."""

    faces: int
    size_px: int  # side of the aligned crops; 0 where they are not aligned
    splits: dict[str, int]  # faces of each
    origins: tuple[Origin, ...]  # the most faces first
    notes: str  # what else is to be known, on one line
    sha256: dict[str, str]


def describe_shards(folder: Path, notes: str | None, metadata: Mapping[str, Mapping[str, str]]) -> Dataset:
    """What the lines of the aligned shards in `folder` say of their faces.

    `metadata` by source has `origin`, `licence` and `split` for lines that were written before lines said so. Where
    `notes` is None those that `dataset.json` has already stay. Raises `TrainingError`.
    """
    if notes is None:
        notes = _read(folder).notes if (folder / NAME).exists() else ""
    lines = [line for line in read_lines(folder) if "skipped" not in line]
    size = min((int(line["size"]) for line in lines), default=0)
    told = [dict(metadata.get(line["source"], {})) | line for line in lines]
    known = (tuple(line.get(name) for name in ("origin", "licence", "split")) for line in told)
    return _count(known, size, notes, _list_shards(folder))


def describe_labelled(folder: Path, split: str) -> Dataset:
    """What the labelled faces of a split say; raises `PictureError`."""
    faces = LabelledFaces(folder, split).faces
    paths = [folder / f"{split}.jsonl", *(folder / shard for shard in sorted({face.shard for face in faces}))]
    return _count(((face.origin, face.licence, split) for face in faces), 0, "", paths)


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write `dataset.json`, whole or not at all. Raises `OSError`."""
    text = json.dumps(asdict(dataset), indent=2, ensure_ascii=False) + "\n"
    write_whole(text.encode(), folder / NAME)


def read_dataset(folder: Path) -> Dataset | None:
    """What `dataset.json` says of the shards beside it; None where there is none. Raises `TrainingError` where it is of
    other shards."""
    if not (folder / NAME).exists():
        return None
    dataset = _read(folder)
    if _hash_files(_list_shards(folder)) != dataset.sha256:
        raise TrainingError(
            f"{folder / NAME} describes other shards than those beside it.", "Give the same data prepare again."
        )
    return dataset


def note_dataset(progress: dict[str, Any], dataset: Dataset | None) -> None:
    """Say in a run's progress what it learns from now; in `earlier_data` stays in words what it learned from before."""
    if progress["pictures"] and _stored(progress) != dataset:
        progress["earlier_data"] = list(
            dict.fromkeys([*progress.get("earlier_data", []), tell_dataset(_stored(progress))])
        )
    progress["dataset"] = None if dataset is None else asdict(dataset)


def tell_data(progress: Mapping[str, Any]) -> list[str]:
    """What stands behind a checkpoint by its progress, in words, each set once."""
    return list(dict.fromkeys([*progress.get("earlier_data", []), tell_dataset(_stored(progress))]))


def _stored(progress: Mapping[str, Any]) -> Dataset | None:
    return None if progress.get("dataset") is None else build(Dataset, progress["dataset"])


def tell_dataset(dataset: Dataset | None) -> str:
    """A set of faces in words."""
    if dataset is None:
        return NOT_RECORDED
    splits = ", ".join(f"{count:,} of {name}" for name, count in dataset.splits.items())
    origins = ", ".join(f"{each.faces:,} from {each.origin} (licence {each.licence})" for each in dataset.origins)
    return f"{dataset.faces:,} faces ({splits}): {origins}.{dataset.notes and f' {dataset.notes}'}"


def _count(faces: Iterable[tuple[str | None, ...]], size_px: int, notes: str, paths: list[Path]) -> Dataset:
    """A set of faces by (origin, licence, split) of each."""
    known = [tuple(part or NOT_STATED for part in face) for face in faces]
    origins = Counter((origin, licence) for origin, licence, _ in known)
    splits = Counter(split for _, _, split in known)
    ordered = tuple(
        Origin(*names, count) for names, count in sorted(origins.items(), key=lambda item: (-item[1], item[0]))
    )
    return Dataset(len(known), size_px, dict(sorted(splits.items())), ordered, notes, _hash_files(paths))


def _read(folder: Path) -> Dataset:
    try:
        return build(Dataset, read_json(folder / NAME))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{folder / NAME} does not describe a set of faces ({error}).", "Delete it, and prepare again."
        ) from None


def _list_shards(folder: Path) -> list[Path]:
    """The files of every finished shard."""
    return [
        path.with_suffix(suffix) for path in sorted(folder.glob("aligned-*.jsonl")) for suffix in (".tar", ".jsonl")
    ]


def _hash_files(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: hash_file(path) for path in paths if path.exists()}
