"""`facechange data prepare`: pictures as people have them, or shards with landmarks, to aligned shards."""

from __future__ import annotations

import functools
import io
import json
import math
import os
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facechange.core import Face, FacechangeError, TrainingError
from facechange.data.labelled import LabelledFace, LabelledFaces
from facechange.data.shards import read_lines
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix, transform_points
from facechange.images import read_picture
from facechange.training.datasets import describe_shards, save_dataset

PICTURES_A_SHARD = 512
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Prepared:
    """What a run did: aligned faces written now, sources skipped (with the reason), sources done by an earlier run."""

    written: int
    skipped: dict[str, str]
    done_before: int


@dataclass(frozen=True)
class _Source:
    name: str
    read: Callable[[], np.ndarray]  # uint8 [H, W, 3] RGB
    label: LabelledFace | None  # known landmarks, or None: the scout has to look
    metadata: dict[str, str]  # `origin`, `licence` and `split` where they are known


def prepare_shards(
    source: Path,
    output: Path,
    size: int,
    detect: Callable[[np.ndarray], list[Face]] | None = None,
    smallest_face_px: int = 64,
    largest_enlargement: float = math.inf,
    report: Callable[[int, int], None] = lambda done, total: None,
    about: dict[str, str] | None = None,
) -> Prepared:
    """Write the faces of `source` as aligned crops of `size` under `output`; a rerun continues where the last one
    ended.

    `dataset.json` beside them says what they are. `about` may give `origin` and `licence`, for sources that do not say
    their own, and `notes` on the whole set.

    `source` is a folder of pictures (then `detect` finds the faces) or a `.jsonl` of landmarks with its tar shards
    beside it, or a folder with such files. Corrupt pictures, pictures without a face, and faces that a crop would show
    more than `largest_enlargement` times as large are skipped and reported.
    """
    about = about or {}
    sources = _list_sources(source, {name: value for name, value in about.items() if name != "notes"})
    output.mkdir(parents=True, exist_ok=True)
    done = {line["source"] for line in read_lines(output)}
    todo = [item for item in sources if item.name not in done]
    if detect is None and any(item.label is None for item in todo):
        raise TrainingError("Pictures without landmarks need the face scout.", "Install or train its weights first.")
    first = 1 + max((int(path.stem.split("-")[1]) for path in output.glob("aligned-*.jsonl")), default=-1)
    written = 0
    skipped: dict[str, str] = {}
    for number, start in enumerate(range(0, len(todo), PICTURES_A_SHARD), first):
        batch = todo[start : start + PICTURES_A_SHARD]
        with ThreadPoolExecutor() as pool:
            results = []
            for result in pool.map(
                lambda item: _align(item, size, detect, smallest_face_px, largest_enlargement), batch
            ):
                results.append(result)
                report(start + len(results), len(todo))
        entries = [entry for result in results for entry in result]
        _write_shard(output / f"aligned-{number:05d}", entries)
        written += sum(picture is not None for _, picture in entries)
        skipped |= {line["source"]: line["skipped"] for line, picture in entries if picture is None}
    save_dataset(describe_shards(output, about.get("notes"), {item.name: item.metadata for item in sources}), output)
    return Prepared(written, skipped, len(sources) - len(todo))


def needs_detector(source: Path) -> bool:
    """Whether the faces of `source` have to be found: it is a folder of pictures without landmark files."""
    return source.is_dir() and not _landmark_files(source)


def _landmark_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.jsonl")) if not path.stem.startswith("aligned-")]


def _list_sources(source: Path, metadata: dict[str, str]) -> list[_Source]:
    """Everything there is to align, in order; `metadata` are those of a source that says none of its own."""
    if source.is_file() and source.suffix == ".jsonl":
        return list(_landmarked(source, metadata))
    if not source.is_dir():
        raise TrainingError(f"{source} is neither a folder of pictures nor a .jsonl of landmarks.", "Check the path.")
    if landmark_files := _landmark_files(source):
        return [item for path in landmark_files for item in _landmarked(path, metadata)]
    pictures = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not pictures:
        raise TrainingError(f"{source} holds no pictures.", f"Known kinds: {', '.join(sorted(SUFFIXES))}.")
    return [
        _Source(str(path.relative_to(source)), functools.partial(_read_pixels, path), None, metadata)
        for path in pictures
    ]


def _read_pixels(path: Path) -> np.ndarray:
    return read_picture(path).rgb8()


def _landmarked(index: Path, metadata: dict[str, str]) -> Iterator[_Source]:
    labelled = LabelledFaces(index.parent, index.stem)
    for number, face in enumerate(labelled.faces):
        own = {name: value for name, value in (("origin", face.origin), ("licence", face.licence)) if value is not None}
        yield _Source(
            face.image, functools.partial(labelled.read, number), face, metadata | own | {"split": index.stem}
        )


def _align(
    item: _Source,
    size: int,
    detect: Callable[[np.ndarray], list[Face]] | None,
    smallest_face_px: int,
    largest_enlargement: float,
) -> list[tuple[dict[str, Any], bytes | None]]:
    """The lines of one source, each with its encoded crop, or one `skipped` line."""
    try:
        image = item.read()
    except FacechangeError as error:
        return [({"source": item.name, "skipped": error.message}, None)]
    found: list[tuple[np.ndarray, np.ndarray | None]]
    if item.label is not None:
        found = [(item.label.landmarks5, item.label.landmarks68)]
    else:
        assert detect is not None
        found = [(face.points, None) for face in detect(image) if face.size_px >= smallest_face_px]
    if not found:
        return [({"source": item.name, "skipped": f"no face of {smallest_face_px} pixels or more"}, None)]
    entries: list[tuple[dict[str, Any], bytes | None]] = []
    for number, (points, landmarks68) in enumerate(found):
        matrix = ffhq_crop_matrix(points, size)
        if np.hypot(*matrix[:, 0]) > largest_enlargement:
            entries.append(
                ({"source": item.name, "skipped": f"the face is too small for crops of {size} pixels"}, None)
            )
            continue
        crop = warp_crop(image, matrix, size)
        line: dict[str, Any] = {
            "image": f"{Path(item.name).with_suffix('').as_posix().replace('/', '__')}-{number}.webp",
            "source": item.name,
            "size": size,
            "points": np.round(transform_points(points, matrix), 2).tolist(),
            **item.metadata,
        }
        if item.label is not None and item.label.group is not None:
            line["group"] = item.label.group
        if landmarks68 is not None:
            line["landmarks68"] = np.round(transform_points(landmarks68, matrix), 2).tolist()
        encoded = cv2.imencode(".webp", crop[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 95])[1].tobytes()
        entries.append((line, encoded))
    return entries


def _write_shard(stem: Path, entries: list[tuple[dict[str, Any], bytes | None]]) -> None:
    """The tar first, its lines last, each by write-then-rename: a shard is there whole or not at all."""
    partial = stem.with_suffix(".partial")
    with tarfile.open(partial, "w") as tar:
        for line, picture in entries:
            if picture is not None:
                member = tarfile.TarInfo(line["image"])
                member.size = len(picture)
                tar.addfile(member, io.BytesIO(picture))
    os.replace(partial, stem.with_suffix(".tar"))
    partial.write_text("".join(json.dumps(line) + "\n" for line, _ in entries), encoding="utf-8")
    os.replace(partial, stem.with_suffix(".jsonl"))
