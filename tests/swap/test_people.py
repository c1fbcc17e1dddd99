"""Several people in one picture, each somebody else's source."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facechange.consent import load_context
from facechange.consent.record import Digests
from facechange.consent.recording import record_consent
from facechange.consent.status import read_statuses
from facechange.core import ConsentError, ContestedFaceError, Face, FaceError, PictureError
from facechange.faces.select import FaceSelector
from facechange.provenance.marks import say_once
from facechange.swap import Published, Swapper, change_photograph, request_change
from facechange.swap.live.swap_frame import LiveSwapper
from facechange.swap.people import People, parse_map, split_names
from facechange.swap.personas import new_persona, write_persona

ORANGE, YELLOW, PINK = (230, 110, 60), (235, 190, 40), (230, 60, 140)  # those in the target
RED, BROWN = (230, 30, 30), (120, 60, 20)  # the sources
Draw = Callable[..., np.ndarray]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faces_picture: Draw) -> Path:
    """A party of three, and pictures of Ann (red), Ben (brown) and of two of the guests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "home"))
    say_once.cache_clear()
    for name, colour in {"ann": RED, "ben": BROWN, "orange": ORANGE, "pink": PINK}.items():
        Image.fromarray(faces_picture({(200, 150): colour}, height=160)).save(f"{name}.png")
    Image.fromarray(faces_picture({(70, 150): ORANGE, (200, 150): YELLOW, (330, 150): PINK})).save("party.png")
    return tmp_path


def swap(swapper: Swapper, *rules: str, target: str = "party.png", consent: str = "All of them agreed.") -> Published:
    people = parse_map(rules)
    grant = request_change(load_context(), people.files, Path(target), Path("out.png"), consent)
    return change_photograph(
        swapper, people.assign(swapper), Path(target), Path("out.png"), grant=grant, face=people.selection
    )


def who_is_there(swapper: Swapper, picture: np.ndarray, faces: list[Face]) -> list[str]:
    """For each of `faces`, the person whom the picture shows there."""
    known = {name: swapper.identify(Path(f"{name}.png")) for name in ("ann", "ben", "orange", "pink")}
    known["yellow"] = swapper.identify("party.png", face="2")
    return [max(known, key=lambda name: float(known[name] @ swapper.identify(picture, face=face))) for face in faces]


def in_result(swapper: Swapper) -> list[str]:
    return who_is_there(swapper, np.asarray(Image.open("out.png")), swapper.select("party.png"))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("ann.png=left", "ben.png=right"), ["ann", "yellow", "ben"]),
        (("ann.png=like:pink.png", "ben.png=like:orange.png"), ["ben", "yellow", "ann"]),
        (("ann.png=1,3", "ben.png=centre"), ["ann", "ben", "ann"]),
        (("ann.png=all", "ben.png=2"), ["ann", "ben", "ann"]),
        (("ben.png=2",), ["orange", "ben", "pink"]),
    ],
)
def test_each_face_becomes_the_person_of_the_rule_that_names_it(
    toy_swapper: Swapper, rules: tuple[str, ...], expected: list[str]
) -> None:
    published = swap(toy_swapper, *rules)
    assert in_result(toy_swapper) == expected
    assert published.faces == sum(name in ("ann", "ben") for name in expected)
    assert published.unmet == {}


def test_every_source_is_named_in_the_provenance_and_in_the_ledger(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[Path] = []
    monkeypatch.setattr(
        "facechange.swap.photo.publish", lambda picture, path, **details: named.extend(details["sources"])
    )
    swap(toy_swapper, "ann.png=left", "ben.png,orange.png=right")
    assert named == [Path("ann.png"), Path("ben.png"), Path("orange.png")]
    (status,) = read_statuses(load_context().ledger).all()
    assert set(status.record.sources) == {Digests().of(path) for path in named}


def test_a_record_of_one_of_two_sources_is_not_enough() -> None:
    people = parse_map(["ann.png=left", "ben.png=right"])
    ann = record_consent(load_context(), [Path("ann.png")], who="Ann", role="source", basis="self")
    words = f"{ann.id}, all at the party agreed"
    with pytest.raises(ConsentError, match=r"ben\.png"):
        request_change(load_context(), people.files, Path("party.png"), Path("out.png"), words)
    ben = record_consent(load_context(), [Path("ben.png")], who="Ben", role="source", basis="self")
    assert (
        ben.id
        in request_change(
            load_context(), people.files, Path("party.png"), Path("out.png"), f"{ben.id} {words}"
        ).statement
    )


def test_a_persona_beside_a_picture_leaves_the_picture_s_consent_to_be_asked_for() -> None:
    write_persona(new_persona("Nobody", 3), Path("nobody.persona"))
    people = parse_map(["nobody.persona=left", "ben.png=right"])
    ann = record_consent(load_context(), [Path("ann.png")], who="Ann", role="source", basis="self")
    with pytest.raises(ConsentError, match=r"ben\.png"):
        request_change(load_context(), people.files, Path("party.png"), Path("out.png"), f"{ann.id}, all agreed")
    ben = record_consent(load_context(), [Path("ben.png")], who="Ben", role="source", basis="self")
    assert not request_change(
        load_context(), people.files, Path("party.png"), Path("out.png"), f"{ben.id}, all agreed"
    ).persona
    assert request_change(
        load_context(), [Path("nobody.persona")], Path("party.png"), Path("out.png"), "All agreed."
    ).persona
    with pytest.raises(PictureError, match="not one person"):
        parse_map(["nobody.persona,ben.png=right"])


def test_who_is_not_there_is_told_and_nobody_at_all_is_an_error(toy_swapper: Swapper) -> None:
    (error,) = swap(toy_swapper, "ann.png=left", "ben.png=like:ben.png").unmet.values()
    assert error.message == "No face is like the one in ben.png."
    assert in_result(toy_swapper) == ["ann", "yellow", "pink"]
    with pytest.raises(FaceError, match=r"party\.png: No face is like the one in ann\.png"):
        swap(toy_swapper, "ann.png=like:ann.png", "ben.png=like:ben.png")


def test_one_face_for_two_people_is_an_error_that_names_both_rules(toy_swapper: Swapper) -> None:
    with pytest.raises(ContestedFaceError, match=r"party\.png: Face 1 .* 1 and left") as error:
        swap(toy_swapper, "ann.png=1", "ben.png=left")
    assert "like:PICTURE" in error.value.remedy
    with pytest.raises(FaceError, match="Two rules name the same face: left"):
        swap(toy_swapper, "ann.png=left", "ben.png=left")


@pytest.mark.parametrize("rule", ["ann.png", "ann.png=boss", "ann.png=", "=left", "ann.png=like:"])
def test_what_is_no_rule_says_how_to_write_one(rule: str) -> None:
    with pytest.raises(FaceError, match="SOURCE=SELECTOR"):
        parse_map([rule])


def test_names_may_hold_commas_and_equals_signs(folder: Path) -> None:
    for name in ("a,b.png", "c=d.png"):
        (folder / name).touch()
    people = parse_map(["a,b.png,c=d.png,ann.png=1,2", "x=y.png=like:c=d.png"])
    assert people.sources == ((Path("a,b.png"), Path("c=d.png"), Path("ann.png")), (Path("x=y.png"),))
    assert people.selection == FaceSelector(
        (FaceSelector.parse("1,2").rules[0], FaceSelector.parse("like:c=d.png").rules[0])
    )
    assert split_names("missing.png,a,b.png") == (Path("missing.png"), Path("a,b.png"))
    assert parse_map(["ann.png, ben.png = left"]).sources == ((Path("ann.png"), Path("ben.png")),)


def test_a_source_of_two_people_is_chosen_from_and_not_guessed(
    toy_swapper: Swapper, capsys: pytest.CaptureFixture[str], faces_picture: Draw
) -> None:
    couple = faces_picture({(80, 150): BROWN, (250, 150): RED})
    couple[:200, 200:] = faces_picture({(250, 100): RED}, height=100)[:200, 200:]  # the larger
    Image.fromarray(couple).save("couple.png")
    one = People(((Path("couple.png"),),), FaceSelector()).assign(toy_swapper).everyone
    said = capsys.readouterr().err
    assert (
        said == "couple.png shows 2 people; the largest face is taken. Choose with --source-face, or cut the picture.\n"
    )
    assert one is not None and one @ toy_swapper.identify("ann.png") > 0.99
    left = People(((Path("couple.png"),),), FaceSelector(), FaceSelector.parse("left")).assign(toy_swapper)
    assert left.everyone is not None and left.everyone @ toy_swapper.identify("ben.png") > 0.99
    assert capsys.readouterr().err == ""
    with pytest.raises(FaceError, match=r"couple\.png: There is no face 3"):
        People(((Path("couple.png"),),), FaceSelector(), FaceSelector.parse("3")).assign(toy_swapper)


def test_what_is_described_is_what_is_assigned_and_depends_on_who_is_whose(toy_swapper: Swapper) -> None:
    people, other = parse_map(["ann.png=left", "ben.png=right"]), parse_map(["ben.png=left", "ann.png=right"])
    chosen = parse_map(["ann.png=left", "ben.png=right"], FaceSelector.parse("largest"))
    assert people.describe(Digests()) == people.assign(toy_swapper).describe(Digests())
    assert len({json.dumps(each.describe(Digests())) for each in (people, other, chosen)}) == 3


def test_several_people_are_changed_live_each_by_their_own(toy_swapper: Swapper, faces_picture: Draw) -> None:
    people = parse_map(["ann.png=left", "ben.png=like:pink.png"])
    live = LiveSwapper(toy_swapper, people.assign(toy_swapper), people.selection)
    for number in range(8):
        frame = faces_picture({(70 + number, 150): ORANGE, (200, 150): YELLOW, (330 - number, 150): PINK})
        before = toy_swapper.select(frame)
        live.step(frame, number / 25)
    assert who_is_there(toy_swapper, frame, before) == ["ann", "yellow", "ben"]


def test_python_gives_each_face_its_own_identity(toy_swapper: Swapper) -> None:
    ann, ben = toy_swapper.identify("ann.png"), toy_swapper.identify("ben.png")
    faces = [*toy_swapper.select("party.png", "left"), *toy_swapper.select("party.png", "like:pink.png")]
    changed = toy_swapper.change("party.png", [ann, ben], faces)
    assert who_is_there(toy_swapper, changed.image, toy_swapper.select("party.png")) == ["ann", "yellow", "ben"]
