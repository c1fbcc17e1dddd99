"""Pictures to aligned shards: geometry, corrupt files, and a rerun that continues."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.core import Face, TrainingError
from facechange.data.shards import load_faces, read_lines
from facechange.training import prepare


def test_faces_are_aligned_and_a_corrupt_one_is_reported(landmarked_faces: Path, tmp_path: Path) -> None:
    prepared = prepare.prepare_shards(landmarked_faces, tmp_path, 96)
    assert prepared.written == 7
    assert list(prepared.skipped) == ["face-3.webp"]
    faces = load_faces(tmp_path, 96)
    assert faces.pictures.shape == (7, 3, 96, 96)
    eyes, mouth = faces.points[:, :2].mean(1), faces.points[:, 3:].mean(1)
    assert np.allclose(eyes[:, 0], 47.5, atol=1) and np.allclose(mouth[:, 0], 47.5, atol=1)  # upright and centred
    assert 0.3 < faces.background.float().mean() < 0.95
    assert faces.background[:, 0, 55, 48].max() == 0  # the nose is no background
    assert faces.background[:, 0, 2, 2].min() == 1


def test_a_rerun_continues_and_writes_nothing_twice(
    landmarked_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PICTURES_A_SHARD", 3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    prepare.prepare_shards(landmarked_faces, whole, 96)
    shutil.copytree(whole, broken)
    (broken / "aligned-00002.jsonl").unlink()  # as if killed between the tar and its lines
    again = prepare.prepare_shards(landmarked_faces, broken, 96)
    assert again.done_before == 6
    assert read_lines(broken) == read_lines(whole)
    assert prepare.prepare_shards(landmarked_faces, broken, 96).written == 0


def test_a_folder_of_pictures_needs_the_scout(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a.png"), np.full((200, 200, 3), 90, np.uint8))
    (pictures / "b.jpg").write_bytes(b"")
    assert prepare.needs_detector(pictures)
    with pytest.raises(TrainingError, match="scout"):
        prepare.prepare_shards(pictures, tmp_path / "out", 64)
    face = Face((50, 50, 100, 100), np.array([[80, 90], [120, 90], [100, 110], [85, 130], [115, 130]], np.float32), 0.9)
    prepared = prepare.prepare_shards(pictures, tmp_path / "out", 64, lambda image: [face])
    assert prepared.written == 1 and list(prepared.skipped) == ["b.jpg"]


def test_shards_too_small_or_absent_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="smaller than 256"):
        load_faces(shards, 256)
    with pytest.raises(TrainingError, match="no aligned shards"):
        load_faces(tmp_path, 64)


def test_faces_too_small_for_the_crop_are_left_out_when_asked(landmarked_faces: Path, tmp_path: Path) -> None:
    prepared = prepare.prepare_shards(landmarked_faces, tmp_path, 256, largest_enlargement=1.1)
    assert prepared.written == 0 and set(prepared.skipped.values()) >= {"the face is too small for crops of 256 pixels"}
    assert prepare.prepare_shards(landmarked_faces, tmp_path / "other", 160, largest_enlargement=1.1).written == 7
