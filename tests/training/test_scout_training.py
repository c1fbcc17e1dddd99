"""The scout's composites and its training run, on painted faces."""

from __future__ import annotations

import io
import json
import signal
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from facechange.core import PictureError, TrainingError, hash_file, load_card
from facechange.data.backgrounds import read_backgrounds
from facechange.data.composites import (
    FACE,
    CompositeDataset,
    paste_matrix,
    paste_patch,
    read_faces,
    store_face,
    warp_box,
)
from facechange.faces.geometry import transform_points
from facechange.training import loop
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import ScoutConfig, load_config
from facechange.training.datasets import NOT_RECORDED, tell_data
from facechange.training.scout import export_scout, train_scout

BOX = np.array([24.0, 16.0, 48.0, 64.0])
POINTS = np.array([[36.0, 40.0], [60.0, 40.0], [48.0, 52.0], [40.0, 64.0], [56.0, 64.0]])


def write_tar(path: Path, pictures: dict[str, np.ndarray]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, picture in pictures.items():
            data = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four painted faces of 96² in a shard, and twenty plain backgrounds whose red tells their number."""
    folder = tmp_path_factory.mktemp("scout")
    face = np.full((96, 96, 3), 60, np.uint8)
    cv2.ellipse(face, (48, 48), (24, 32), 0, 0, 360, (220, 170, 140), -1)
    write_tar(folder / "train-96-00.tar", {f"{i}.png": face for i in range(4)})
    rows = [
        {"image": f"{i}.png", "shard": "train-96-00.tar", "box": BOX.tolist(), "landmarks5": POINTS.tolist()}
        for i in range(4)
    ]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_tar(
        folder / "backgrounds.tar", {f"{i:02}.png": np.full((50, 70, 3), (i, 100, 100), np.uint8) for i in range(20)}
    )
    return folder


@pytest.fixture(scope="module")
def dataset(folder: Path) -> CompositeDataset:
    faces = [store_face(*face) for face in read_faces(folder, "train")]
    return CompositeDataset(faces, read_backgrounds(folder / "backgrounds.tar", held_out=False), size_px=128, seed=3)


def test_a_composite_depends_on_its_number_only(dataset: CompositeDataset) -> None:
    first, again, other = dataset[5], dataset[5], dataset[6]
    assert first[0].shape == (128, 128, 3) and first[0].dtype == np.uint8
    assert first[1].shape == (8, 15) and first[1].dtype == np.float32
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_points_of_labelled_faces_lie_in_their_boxes(dataset: CompositeDataset) -> None:
    rows = np.concatenate([dataset[i][1] for i in range(60)])
    faces = rows[rows[:, 0] == FACE]
    assert len(faces) > 50
    points, low, size = faces[:, 5:].reshape(-1, 5, 2), faces[:, None, 1:3], faces[:, None, 3:5]
    assert ((points > low - 0.02 * size) & (points < low + 1.02 * size)).all()
    assert faces[:, 3:5].max(1).min() >= 8
    upright = np.abs(faces[:, 6] - faces[:, 8]) < 0.2 * faces[:, 4]
    assert (faces[upright, 5] < faces[upright, 7]).mean() > 0.8  # the viewer's left eye comes first, mirrored or not


def test_held_out_backgrounds_are_never_trained_on(folder: Path) -> None:
    held_out, trained = (read_backgrounds(folder / "backgrounds.tar", held_out=flag) for flag in (True, False))
    assert [int(image[0, 0, 0]) for image in held_out] == [9, 19]
    assert {int(image[0, 0, 0]) for image in trained} == set(range(20)) - {9, 19}


def test_rolled_box_is_that_of_the_inscribed_ellipse() -> None:
    at = np.array([50.0, 40.0])
    np.testing.assert_allclose(warp_box(BOX, paste_matrix(BOX, 32, 90, at)), [50 - 16, 40 - 12, 32, 24], atol=1e-9)
    side = 2 * np.hypot(12, 16) * np.sqrt(0.5)
    np.testing.assert_allclose(
        warp_box(BOX, paste_matrix(BOX, 32, -45, at)), [50 - side / 2, 40 - side / 2, side, side], atol=1e-9
    )


def test_a_patch_lands_where_its_matrix_says_and_nowhere_else() -> None:
    canvas, image = np.full((60, 80, 3), 10, np.uint8), np.full((20, 20, 3), 200, np.uint8)
    covered = paste_patch(canvas, image, np.full((20, 20), 255, np.uint8), np.array([[1.0, 0, 70], [0, 1, 30]]))
    wanted = np.full((60, 80, 3), 10, np.uint8)
    wanted[30:50, 70:] = 200
    np.testing.assert_array_equal(canvas, wanted)
    np.testing.assert_array_equal(covered > 0, wanted[..., 0] == 200)
    assert not paste_patch(canvas, image, covered[:20, :20], np.array([[1.0, 0, 500], [0, 1, 30]])).any()
    np.testing.assert_allclose(
        transform_points(BOX[:2] + BOX[2:] / 2, paste_matrix(BOX, 9, 30, np.array([3.0, 4.0]))), [3, 4]
    )


@pytest.mark.parametrize("lines", [None, "{broken", '{"image": "0.png"}', '{"image": "0.png", "shard": "missing.tar"}'])
def test_unusable_faces_are_told_in_a_sentence(tmp_path: Path, lines: str | None) -> None:
    if lines:
        (tmp_path / "train.jsonl").write_text(lines)
    with pytest.raises(PictureError, match=r"missing|does not list|cannot be read"):
        list(read_faces(tmp_path, "train"))


def test_unusable_backgrounds_are_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "not.tar").write_bytes(b"no tar")
    for name in ("not.tar", "missing.tar"):
        with pytest.raises(TrainingError, match="cannot be read"):
            read_backgrounds(tmp_path / name, held_out=False)
    with pytest.raises(TrainingError, match="too few"):
        read_backgrounds(write_tar(tmp_path / "few.tar", {"a.png": np.zeros((9, 9, 3), np.uint8)}), held_out=True)


def settings(folder: Path, run: Path, **changes: object) -> ScoutConfig:
    defaults: dict = {
        "minutes": 1e9,
        "pictures": 12,
        "size_px": 64,
        "batch": 2,
        "workers": 0,
        "checkpoint_seconds": 0.0,
    }
    defaults |= {"device": "cpu", "faces": folder, "backgrounds": folder / "backgrounds.tar", "run": run}
    return ScoutConfig(**(defaults | changes))


def test_an_interrupted_run_continues_the_very_same_sequence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0)
    whole = train_scout(settings(folder, tmp_path / "whole"))

    def interrupt(row: dict[str, float]) -> None:
        if row["pictures"] == 4:
            signal.raise_signal(signal.SIGINT)  # waits for the next step

    with pytest.raises(KeyboardInterrupt):
        train_scout(settings(folder, tmp_path / "parts", checkpoint_seconds=1e9), interrupt)
    seen: list[float] = []
    parts = train_scout(settings(folder, tmp_path / "parts", workers=1), lambda row: seen.append(row["pictures"]))
    assert seen == [8, 10, 12]
    first, second = load_file(whole), load_file(parts)
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert train_scout(settings(folder, tmp_path / "parts"), lambda _: pytest.fail("nothing is left to train")) == parts
    log = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [line["pictures"] for line in log] == [2, 4, 6, 8, 10, 12] and {"score", "box", "points", "total"} <= log[
        -1
    ].keys()


def test_a_run_of_an_older_version_goes_on(folder: Path, tmp_path: Path) -> None:
    """Its log had the losses in a table of their own, its progress no total, its table no bound on pictures."""
    checkpoint = train_scout(settings(folder, tmp_path, pictures=4))
    tensors, progress = read_checkpoint(checkpoint)
    old = {"pictures": 4, "seconds": progress["seconds"], "losses": {"score": 1.0}}
    save_file(tensors, checkpoint, metadata={"progress": json.dumps(old)})
    line = {"pictures": 4, "seconds": 1.0, "fraction": 0.1, "pictures_per_second": 4.0, "losses": {"score": 1.0}}
    (tmp_path / "log.jsonl").write_text(json.dumps(line) + "\n")
    table = json.loads((tmp_path / "config.json").read_text()) | {"pictures": None}
    (tmp_path / "config.json").write_text(json.dumps(table))
    assert load_config(tmp_path / "config.json", ScoutConfig).pictures > 1e12
    assert read_checkpoint(train_scout(settings(folder, tmp_path, pictures=6)))[1]["pictures"] == 6
    assert tell_data(read_checkpoint(checkpoint)[1])[0] == NOT_RECORDED


def test_export_writes_a_graph_and_the_card_that_fits_it(folder: Path, tmp_path: Path) -> None:
    checkpoint = train_scout(settings(folder, tmp_path / "run", pictures=2))
    export_scout(checkpoint, tmp_path / "scout.onnx", {"recall": 0.5})
    card = load_card(tmp_path / "scout.json")
    assert card.sha256 == hash_file(tmp_path / "scout.onnx")
    assert card.role == "scout" and card.parameters <= 1_000_000 and card.metrics == {"recall": 0.5}
    assert "4 faces (4 of train): 4 from not stated" in card.data


def test_a_loss_that_is_not_finite_leaves_the_last_good_checkpoint(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = train_scout(settings(folder, tmp_path, pictures=4)).read_bytes()
    monkeypatch.setattr("facechange.training.scout.BOX_WEIGHT", float("nan"))
    with pytest.raises(TrainingError, match=r"not finite.*checkpoint\.safetensors"):
        train_scout(settings(folder, tmp_path, pictures=8))
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == good


def test_unusable_runs_are_refused(folder: Path, tmp_path: Path) -> None:
    train_scout(settings(folder, tmp_path / "run", pictures=2))
    with pytest.raises(TrainingError, match="another seed"):
        train_scout(settings(folder, tmp_path / "run", seed=8))
    with pytest.raises(TrainingError, match="cannot be used"):
        train_scout(settings(folder, folder / "train.jsonl"))
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"broken")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        train_scout(settings(folder, tmp_path / "run"))
    with pytest.raises(TrainingError, match="not a checkpoint"):
        export_scout(tmp_path / "missing.safetensors", tmp_path / "scout.onnx")
