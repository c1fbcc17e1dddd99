"""`facechange faces` shows and lists what is found, and `--detector-threshold` decides it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange.swap
from facechange.cli import anonymize, batch, live, swap, video
from facechange.core import Face
from facechange.swap import Swapper

ORANGE = (230, 110, 60)
EXAMPLE = Path(__file__).parents[2] / "examples" / "target.jpg"


class DoubtfulOnTheRight:
    """Finds what the toy detector finds; of the face furthest to the right it is not sure how it is turned."""

    def __init__(self, swapper: Swapper) -> None:
        self.inner = swapper._detector

    def detect(self, image: np.ndarray, threshold: float | None = None, thorough: bool = False) -> list[Face]:
        faces = self.inner.detect(image)
        return [replace(face, doubtful=face.box[0] == max(other.box[0] for other in faces)) for face in faces]


@pytest.fixture
def toy_faces(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    swapper = Swapper.__new__(Swapper)
    swapper.__dict__ |= toy_swapper.__dict__ | {"_detector": DoubtfulOnTheRight(toy_swapper)}
    monkeypatch.setattr(facechange.swap, "load_swapper", lambda *_: swapper)
    picture = faces_picture({(80, 150): ORANGE, (200, 150): ORANGE, (320, 150): ORANGE})
    picture[20:30, 20:28] = ORANGE
    Image.fromarray(picture).save(tmp_path / "in.png")


def test_each_face_has_a_line_and_a_reason(run: Callable, toy_faces: None, tmp_path: Path) -> None:
    before = (tmp_path / "in.png").read_bytes()
    code, out, err = run("faces", "in.png", "-o", "sheet.png", "--face", "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("a face: 8 x 10 px at 20, 20") and lines[0].endswith("skipped: too small, 10 of 16 px")
    assert lines[1].startswith("face 1: ") and lines[1].endswith("skipped: not selected")
    assert lines[2].startswith("face 2: ") and lines[2].endswith("score 0.90, selected")
    assert lines[3].startswith("a face: ") and lines[3].endswith("skipped: doubtful points")
    assert lines[4] == "sheet.png: 4 found, 1 selected"
    assert (tmp_path / "in.png").read_bytes() == before


def test_the_sheet_shows_the_boxes_and_changes_nothing_else(run: Callable, toy_faces: None, tmp_path: Path) -> None:
    run("faces", "in.png", "-o", "sheet.png", "--face", "2")
    picture, sheet = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("in.png", "sheet.png"))
    green, red = sheet[150, 170], sheet[150, 50]  # the left sides of the boxes of faces 2 and 1
    assert green[1] > green[0] + 50 and red[0] > red[1] + 50
    assert np.array_equal(sheet[220:], picture[220:])


def test_nothing_selected_is_said_and_the_input_stays(run: Callable, toy_faces: None, tmp_path: Path) -> None:
    code, _, err = run("faces", "in.png", "-o", "sheet.png", "--face", "7")
    assert code != 0 and "There is no face 7; 2 found." in err
    code, _, err = run("faces", "in.png", "-o", "in.png")
    assert code != 0 and "is the picture to read" in err
    code, _, err = run("faces", "in.png", "-o", "sheet.xyz")
    assert code != 0 and "no kind of picture" in err
    assert not (tmp_path / "sheet.png").exists()


def test_the_threshold_reaches_the_scout(run: Callable) -> None:
    code, out, _ = run("faces", str(EXAMPLE), "-o", "sheet.jpg", "--threads", "1")
    assert code == 0 and "sheet.jpg: 1 found, 1 selected" in out
    code, _, err = run("faces", str(EXAMPLE), "-o", "sheet.jpg", "--threads", "1", "--detector-threshold", "0.98")
    assert code != 0 and "No face was found" in err


@pytest.mark.parametrize("command", [swap.swap, video.video, batch.batch, live.live, anonymize.anonymize])
def test_every_command_that_finds_faces_has_the_option(command: Callable) -> None:
    assert inspect.signature(command).parameters["threshold"].default is None
