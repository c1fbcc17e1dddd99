"""`facechange batch` through the command line, with the toy networks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange.change
from facechange.change import Changer

ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
BATCH = ("batch", "a.png", "in", "-o", "out", "--consent", "All agreed.")


@pytest.fixture(autouse=True)
def folder(toy_changer: Changer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> None:
    """The toy networks, and in `tmp_path` a folder `in` with a face and none."""
    (tmp_path / "in").mkdir()
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(tmp_path / "a.png")
    Image.fromarray(faces_picture({(80, 150): YELLOW})).save(tmp_path / "in" / "b.png")
    Image.fromarray(faces_picture({})).save(tmp_path / "in" / "empty.png")
    monkeypatch.setattr(facechange.change, "load_changer", lambda *_, **__: toy_changer)


def test_a_folder_is_changed_and_then_there_is_nothing_left(run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run(*BATCH)
    assert (code, err) == (0, "")
    assert out.startswith("out: 1 changed, 1 without such a face, 0 failed in ")
    assert out.endswith("facechange-batch.html shows them\n") and out.count("\n") == 1
    monkeypatch.setattr(facechange.change, "load_changer", lambda *_, **__: pytest.fail("no model is needed"))
    code, out, _ = run(*BATCH)
    assert code == 0
    assert "1 changed, 1 without such a face, 0 failed (2 of them before)" in out


def test_what_failed_is_named_and_the_exit_code_says_so(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "in" / "zero.jpg").touch()
    (tmp_path / "in" / "raw.cr2").write_bytes(bytes(99))
    code, out, err = run(*BATCH)
    assert code == 1
    assert "1 changed, 1 without such a face, 2 failed" in out
    assert [line.split(":")[0] for line in err.splitlines()] == ["raw.cr2", "zero.jpg"]
    assert len(json.loads((tmp_path / "out" / "facechange-batch.json").read_text())["files"]) == 4


def test_what_of_a_file_is_left_out_is_said(run: Callable, tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> None:
    pages = [Image.fromarray(faces_picture({(150, 150): YELLOW}, (300, 300), 160)) for _ in range(2)]
    pages[0].save(tmp_path / "in" / "pages.tiff", save_all=True, append_images=pages[1:])
    for _ in range(2):
        code, _, err = run(*BATCH)
        assert (code, err) == (0, "pages.tiff: further pictures left out.\n")
    assert "further pictures left out" in (tmp_path / "out" / "facechange-batch.html").read_text()
    code, _, err = run("swap", "a.png", "in/pages.tiff", "-o", "out.tiff", "--consent", "All agreed.")
    assert (code, err) == (0, "Taken away: further pictures.\n")


def test_animations_stay_animations(run: Callable, tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> None:
    frames = [Image.fromarray(faces_picture({(150 + x, 150): YELLOW}, (300, 300), 160)) for x in (0, 4)]
    names = ("moves.gif", "moves.png", "moves.webp")
    for name in names:
        frames[0].save(tmp_path / "in" / name, save_all=True, append_images=frames[1:], duration=[100, 700])
    code, out, err = run(*BATCH)
    assert code == 0 and "4 changed" in out, err
    for name in names:
        with Image.open(tmp_path / "out" / name) as image:
            assert getattr(image, "n_frames", 1) == 2, name


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a.png", "in", "-o", "out"), 6, "agreed"),
        (("empty.png", "in", "-o", "out", "--consent", "All agreed."), 3, "empty.png"),
        (("a.png", "nowhere", "-o", "out", "--consent", "All agreed."), 3, "nowhere"),
        (("a.png", "in", "-o", "in", "--consent", "All agreed."), 5, "folder to read"),
        (("a.png", "in", "-o", "out", "--output-pattern", "same.png", "--consent", "All agreed."), 5, "{index}"),
        (("in/empty.png", "in", "-o", "out", "--consent", "All agreed."), 4, "empty.png"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    run: Callable, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    stopped, out, err = run("batch", *arguments)
    assert (stopped, out) == (code, "")
    assert words in err
    assert not (tmp_path / "out").exists()
