"""--map, --source-face, --only and --all-but through the command line, with the toy networks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange.swap
from facechange.provenance.marks import say_once
from facechange.swap import Swapper

ORANGE, YELLOW, PINK = (230, 110, 60), (235, 190, 40), (230, 60, 140)  # those in the targets
RED, BROWN = (230, 30, 30), (120, 60, 20)  # the sources
CONSENT = ("--consent", "All agreed.")
MAP = ("--map", "ann.png=like:orange.png", "--map", "ben.png=like:pink.png")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def folder(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    """The toy networks, pictures of four people, and in `in` three of them in three pictures."""
    say_once.cache_clear()
    monkeypatch.setattr(facechange.swap, "load_swapper", lambda *_, **__: toy_swapper)
    for name, colour in {"ann": RED, "ben": BROWN, "orange": ORANGE, "yellow": YELLOW, "pink": PINK}.items():
        Image.fromarray(faces_picture({(200, 150): colour}, height=160)).save(tmp_path / f"{name}.png")
    (tmp_path / "in").mkdir()
    Image.fromarray(faces_picture({(70, 150): ORANGE, (200, 150): YELLOW, (330, 150): PINK})).save(
        tmp_path / "in" / "all.png"
    )
    Image.fromarray(faces_picture({(100, 150): PINK, (300, 150): ORANGE})).save(tmp_path / "in" / "two.png")
    Image.fromarray(faces_picture({(100, 150): YELLOW})).save(tmp_path / "in" / "yellow.png")


def people(swapper: Swapper, result: str, target: str) -> list[str]:
    """Who is where in `result`, left to right; empty words for nobody known."""
    known = {name: swapper.identify(f"{name}.png") for name in ("ann", "ben", "orange", "yellow", "pink")}
    picture = np.asarray(Image.open(result))
    found = [swapper.identify(picture, face=face) for face in swapper.select(target)]
    return [max(known, key=lambda name: float(known[name] @ identity)) for identity in found]


def unchanged(result: str, target: str, swapper: Swapper) -> list[bool]:
    """For each face of `target`, left to right, whether `result` shows it as it was."""
    before, after = (np.asarray(Image.open(name)) for name in (target, result))
    boxes = [tuple(map(int, face.box)) for face in swapper.select(target)]
    return [np.array_equal(before[y : y + h, x : x + w], after[y : y + h, x : x + w]) for x, y, w, h in boxes]


def test_two_people_are_swapped_in_a_photograph(run: Run, toy_swapper: Swapper) -> None:
    code, out, err = run("swap", *MAP, "in/all.png", "-o", "out.png", *CONSENT)
    assert (code, err) == (0, "")
    assert out.startswith("out.png: 2 faces changed in ")
    assert people(toy_swapper, "out.png", "in/all.png") == ["ann", "yellow", "ben"]


def test_a_rule_that_names_nobody_is_told_and_no_face_at_all_is_an_error(run: Run) -> None:
    code, out, err = run("swap", "--map", "ann.png=left", "--map", "ben.png=7", "in/two.png", "-o", "out.png", *CONSENT)
    assert code == 0 and "1 face changed" in out
    assert err == "There is no face 7; 2 found. Faces are numbered 1 to 2 from the left.\n"
    code, _, err = run("swap", *MAP, "in/yellow.png", "-o", "none.png", *CONSENT)
    assert code == 4 and "No face is like the one in orange.png" in err
    assert not Path("none.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("in/all.png",), 2, "--map"),
        (("ann.png", "in/all.png", "--map", "ben.png=left"), 2, "no place"),
        (("in/all.png", "--face", "left", "--map", "ben.png=left"), 2, "no place"),
        (("in/all.png", "--map", "ben.png"), 4, "SOURCE=SELECTOR"),
        (("in/all.png", "--map", "ben.png=boss"), 4, "SOURCE=SELECTOR"),
        (("in/all.png", "--map", "ann.png=left", "--map", "ben.png=left"), 4, "same face"),
        (("in/all.png", "--map", "ann.png=left", "--map", "ben.png=1"), 4, "left and 1"),
        (("in/all.png", "--map", "none.png=left"), 3, "none.png"),
        (("in/all.png", "--map", "ann.png=like:none.png"), 3, "none.png"),
        (("ann.png", "in/all.png", "--source-face", "boss"), 4, "boss"),
        (("ann.png", "in/all.png", "--source-face", "2"), 4, "ann.png: There is no face 2"),
    ],
)
def test_what_cannot_be_is_said(run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    stopped, out, err = run("swap", *arguments, "-o", "out.png", *CONSENT)
    assert (stopped, out) == (code, ""), err
    assert words in err
    assert not Path("out.png").exists()


def test_a_source_of_several_people_is_said_once_and_can_be_chosen_from(run: Run, toy_swapper: Swapper) -> None:
    code, _, err = run("swap", "in/two.png", "yellow.png", "-o", "out.png", *CONSENT)
    assert code == 0
    assert err == "two.png shows 2 people; the largest face is taken. Choose with --source-face, or cut the picture.\n"
    code, _, err = run("swap", "in/two.png", "yellow.png", "-o", "out.png", "--source-face", "right", *CONSENT)
    assert (code, err) == (0, "")
    assert people(toy_swapper, "out.png", "yellow.png") == ["orange"]


def test_a_folder_is_changed_by_its_map_and_another_map_is_another_job(run: Run, toy_swapper: Swapper) -> None:
    code, out, err = run("batch", *MAP, "in", "-o", "out", *CONSENT)
    assert (code, err) == (0, "")
    assert "2 changed, 1 without such a face, 0 failed in" in out
    assert people(toy_swapper, "out/all.png", "in/all.png") == ["ann", "yellow", "ben"]
    assert people(toy_swapper, "out/two.png", "in/two.png") == ["ben", "ann"]
    code, _, err = run("batch", *MAP, "--map", "yellow.png=like:ann.png", "in", "-o", "more", *CONSENT)
    assert (code, err) == (0, "No file has a face for like:ann.png.\n")
    assert "(3 of them before)" in run("batch", *MAP, "in", "-o", "out", *CONSENT)[1]
    other = ("--map", "ben.png=like:orange.png", "--map", "ann.png=like:pink.png")
    assert "before" not in run("batch", *other, "in", "-o", "out", *CONSENT)[1]
    assert people(toy_swapper, "out/two.png", "in/two.png") == ["ann", "ben"]


def test_a_file_of_a_folder_where_two_rules_name_one_face_fails_and_is_named(run: Run) -> None:
    code, out, err = run("batch", "--map", "ann.png=left", "--map", "ben.png=right", "in", "-o", "out", *CONSENT)
    assert code == 1
    assert "2 changed, 0 without such a face, 1 failed" in out
    assert err.startswith("yellow.png: yellow.png: Face 1 of 1 from the left is named by two rules: left and right.")
    report = json.loads(Path("out/facechange-batch.json").read_text())
    assert [entry["state"] for entry in report["files"]] == ["done", "done", "failed"]


def test_everybody_but_some_and_only_some_are_anonymised(run: Run, toy_swapper: Swapper) -> None:
    code, out, err = run(
        "anonymize", "in/all.png", "-o", "out.png", "--all-but", "like:orange.png", "--all-but", "like:pink.png"
    )
    assert code == 0, err
    assert "1 face changed" in out
    assert unchanged("out.png", "in/all.png", toy_swapper) == [True, False, True]
    code, out, err = run("anonymize", "in/all.png", "-o", "out.png", "--only", "like:orange.png", "--only", "3")
    assert code == 0 and "2 faces changed" in out, err
    assert unchanged("out.png", "in/all.png", toy_swapper) == [False, True, False]


def test_in_a_folder_who_is_not_there_hides_nobody_else_less(run: Run, toy_swapper: Swapper) -> None:
    code, out, err = run("anonymize", "in", "-o", "out", "--all-but", "like:orange.png")
    assert code == 0 and "3 changed" in out, err
    assert unchanged("out/two.png", "in/two.png", toy_swapper) == [False, True]
    assert unchanged("out/yellow.png", "in/yellow.png", toy_swapper) == [False]
    assert run("anonymize", "in", "-o", "out", "--all-but", "1", "--only", "2")[0] == 2
