"""dataset.json: what shards are is written beside them, travels with every checkpoint, and is told on the card."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from facechange.core import TrainingError
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.datasets import NOT_RECORDED, Origin, note_dataset, read_dataset, tell_data
from facechange.training.export import export_face
from facechange.training.face import train_face
from facechange.training.prepare import prepare_shards


@pytest.fixture
def stated(landmarked_faces: Path, tmp_path: Path) -> Path:
    """Shards of faces, half of which say where they are from."""
    folder = tmp_path / "faces"
    folder.mkdir()
    lines = [json.loads(line) for line in landmarked_faces.read_text().splitlines()]
    lines = [line | ({"origin": "A/B", "licence": "MIT"} if number % 2 else {}) for number, line in enumerate(lines)]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "faces-00.tar").write_bytes((landmarked_faces.parent / "faces-00.tar").read_bytes())
    prepare_shards(folder, tmp_path / "shards", 128, about={"origin": "C", "licence": "CC0", "notes": "Cartoons."})
    return tmp_path / "shards"


def test_what_is_counted_is_what_is_in_the_shards(stated: Path) -> None:
    dataset = read_dataset(stated)
    assert dataset is not None
    assert (dataset.faces, dataset.size_px, dataset.splits, dataset.notes) == (7, 128, {"train": 7}, "Cartoons.")
    assert dataset.origins == (Origin("C", "CC0", 4), Origin("A/B", "MIT", 3)), "the corrupt one is of A/B"
    assert set(dataset.sha256) == {"aligned-00000.tar", "aligned-00000.jsonl"}
    with tarfile.open(stated / "aligned-00000.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo("more"))
    with pytest.raises(TrainingError, match="other shards"):
        read_dataset(stated)


def test_shards_of_before_are_described_when_they_are_prepared_again(stated: Path) -> None:
    written = read_dataset(stated)
    assert written is not None
    (stated / "dataset.json").unlink()
    path = stated / "aligned-00000.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [
        {name: value for name, value in line.items() if name not in ("origin", "licence", "split")} for line in lines
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept))
    assert read_dataset(stated) is None
    prepare_shards(stated.parent / "faces", stated, 128, about={"origin": "C", "licence": "CC0"})
    again = read_dataset(stated)
    assert again is not None and (again.origins, again.splits, again.notes) == (written.origins, written.splits, "")


def test_a_rerun_keeps_the_notes(landmarked_faces: Path, tmp_path: Path) -> None:
    prepare_shards(landmarked_faces, tmp_path, 96, about={"notes": "Cartoons."})
    prepare_shards(landmarked_faces, tmp_path, 96)
    dataset = read_dataset(tmp_path)
    assert dataset is not None and dataset.notes == "Cartoons." and dataset.origins[0].origin == "not stated"


def test_a_card_says_what_every_stage_learned_from(
    stated: Path, shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path
) -> None:
    config = FaceConfig(
        train=stated,
        run=tmp_path / "run",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        pictures=4,
        batch=4,
    )
    first = train_face(config).checkpoint
    progress = read_checkpoint(first)[1]
    assert progress["dataset"]["faces"] == 7 and progress["recipe"] is None
    older = tmp_path / "older"
    older.mkdir()
    for path in shards.glob("aligned-*"):
        (older / path.name).write_bytes(path.read_bytes())
    second = train_face(
        replace(config, run=tmp_path / "second", train=older, start_from=first, recipe="patent")
    ).checkpoint
    card = export_face(second, tmp_path / "face.onnx")
    assert (
        card.data == f"7 faces (7 of train): 4 from C (licence CC0), 3 from A/B (licence MIT). Cartoons. {NOT_RECORDED}"
    )
    assert "recipe patent" in card.training and "recipe" not in export_face(first, tmp_path / "first.onnx").training


def test_a_run_that_goes_on_with_other_data_tells_both(stated: Path) -> None:
    old = {"pictures": 8}  # of a run before there were records
    assert tell_data(old) == [NOT_RECORDED]
    note_dataset(old, read_dataset(stated))
    assert [text[:7] for text in tell_data(old)] == ["Not rec", "7 faces"]
    note_dataset(old, read_dataset(stated))
    assert len(tell_data(old)) == 2
