from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.consent import load_context
from facechange.core import ConsentError, FaceError, OutputError, PictureError
from facechange.faces.select import FaceSelector
from facechange.faces.turn import BEYOND, FOLLOWED, Beyond
from facechange.images import read_picture
from facechange.provenance import read_statement
from facechange.provenance.watermark import find_watermark
from facechange.swap import (
    FixedIdentity,
    PersonaAssignment,
    Published,
    Swapper,
    assign_sources,
    change_photograph,
    publish_mask_sheet,
    request_change,
)
from facechange.swap.mask_sheet import draw_mask_sheet

EXAMPLES = Path(__file__).parents[2] / "examples"  # made by the project's own model
ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
COLOUR = np.eye(1, 512, dtype=np.float32)[0]  # somebody's identity
CONSENT = "Both people in the pictures agreed on 3 May 2025."


@pytest.fixture
def folder(tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> Path:
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(tmp_path / "source.png")
    crowd = Image.fromarray(faces_picture({(80, 150): YELLOW, (300, 150): YELLOW}))
    exif = Image.Exif()
    exif[0x010E] = "two people"
    exif[0x0112] = 6  # turned by a quarter
    crowd.rotate(90, expand=True).save(tmp_path / "target.jpg", quality=95, exif=exif)
    crowd.save(tmp_path / "target.png")
    return tmp_path


def change(swapper: Swapper, sources: list[Path], target: Path, output: Path, face: str = "all") -> Published:
    grant = request_change(load_context(), sources, target, output, CONSENT)
    return change_photograph(swapper, assign_sources(swapper, sources), target, output, grant=grant, face=face)


def test_photograph_is_changed_upright_and_carries_its_statement(toy_swapper: Swapper, folder: Path) -> None:
    output = folder / "out.jpg"
    published = change(toy_swapper, [folder / "source.png"], folder / "target.jpg", output)
    assert (published.path, published.faces) == (output, 2)
    with Image.open(output) as image:
        assert image.size == (400, 300)
        assert image.getexif()[0x010E] == "two people"
        assert image.getexif().get(0x0112, 1) == 1
    statement = read_statement(output)
    assert statement["consent"] == CONSENT
    assert statement["model"] == "toy-change 1"


def test_lossless_output_keeps_every_pixel_outside_the_crop(toy_swapper: Swapper, folder: Path) -> None:
    output = folder / "out.png"
    target = folder / "target.png"
    published = change(toy_swapper, [folder / "source.png"], target, output, face=FaceSelector.parse("left"))
    before, after = np.asarray(Image.open(target)), np.asarray(Image.open(output))
    assert published.faces == 1
    np.testing.assert_array_equal(after[:, 200:], before[:, 200:])
    assert not np.array_equal(after[:, :200], before[:, :200])


def test_nothing_is_granted_without_consent_or_a_place_to_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACECHANGE_HOME", str(folder / "home"))
    source, target = folder / "source.png", folder / "target.png"
    with pytest.raises(ConsentError):
        request_change(load_context(), [source], target, folder / "out.png", None)
    with pytest.raises(OutputError):
        request_change(load_context(), [source], target, folder / "out.docx", CONSENT)
    for output in (source, target):
        with pytest.raises(OutputError, match="one of the pictures"):
            request_change(load_context(), [source], target, output, CONSENT)
    with pytest.raises(PictureError):
        request_change(load_context(), [folder / "missing.jpg"], target, folder / "out.png", CONSENT)
    assert not list(folder.glob("out*")) and not (folder / "home").exists()


def test_face_that_is_not_there_names_the_target(toy_swapper: Swapper, folder: Path) -> None:
    with pytest.raises(FaceError, match=r"target\.png: There is no face 3"):
        change(
            toy_swapper,
            [folder / "source.png"],
            folder / "target.png",
            folder / "out.png",
            face=FaceSelector.parse("3"),
        )
    assert not list(folder.glob("out*"))


def test_a_face_that_is_turned_too_far_is_left_and_counted_but_never_where_people_are_hidden(
    toy_swapper: Swapper, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = toy_swapper.select(folder / "target.png", "all")
    profile = far.points + np.array(
        [[0, 0], [0, 0], [0.9 * (far.points[1, 0] - far.points[0, 0]), 0], [0, 0], [0, 0]], np.float32
    )
    monkeypatch.setattr(toy_swapper, "find_all", lambda picture, *given, **named: [near, replace(far, points=profile)])
    target, output = folder / "target.png", folder / "out.png"
    grant = request_change(load_context(), [], target, output, CONSENT)
    published = change_photograph(toy_swapper, FixedIdentity(COLOUR, []), target, output, grant=grant)
    assert (published.faces, published.turned) == (1, 1)
    x, y, width, height = map(int, far.box)
    before, after = (np.asarray(Image.open(path))[y : y + height, x : x + width] for path in (target, output))
    np.testing.assert_array_equal(before, after)
    hidden = change_photograph(toy_swapper, PersonaAssignment(), target, output, grant=grant)
    assert (hidden.faces, hidden.turned) == (2, 0)
    monkeypatch.setattr(toy_swapper, "find_all", lambda picture, *given, **named: [replace(far, points=profile)])
    with pytest.raises(FaceError, match=r"target.png: The face is turned too far"):
        change_photograph(toy_swapper, FixedIdentity(COLOUR, []), target, output, grant=grant)


def test_a_face_that_is_turned_too_far_is_faded_or_covered_by_choice(
    toy_swapper: Swapper, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = toy_swapper.select(folder / "target.png", "all")
    target = folder / "target.png"
    grant = request_change(load_context(), [], target, folder / "out.png", CONSENT)
    x, y, width, height = map(int, far.box)

    def change_with(beyond: Beyond, turn: float) -> tuple[np.ndarray, Published]:
        monkeypatch.setattr("facechange.faces.turn.turn_of", lambda points: turn if points is far.points else 0.0)
        monkeypatch.setattr(toy_swapper, "find_all", lambda picture, *given, **named: [near, far])
        published = change_photograph(
            toy_swapper, FixedIdentity(COLOUR, []), target, folder / "out.png", grant=grant, beyond=beyond
        )
        return np.asarray(Image.open(folder / "out.png"))[y : y + height, x : x + width].astype(float), published

    original = np.asarray(Image.open(target))[y : y + height, x : x + width].astype(float)
    whole, half, none = (change_with("faded", turn)[0] for turn in (0.0, (FOLLOWED + BEYOND) / 2, BEYOND))
    assert np.abs(whole - original).max() > 50
    assert 0.35 < np.abs(half - original).sum() / np.abs(whole - original).sum() < 0.65
    np.testing.assert_array_equal(none, original)
    covered, published = change_with("covered", 60)
    assert [(outcome.done, outcome.why != "") for outcome in published.outcomes] == [("changed", False), ("blur", True)]
    assert (published.faces, published.turned) == (2, 0)
    assert np.abs(covered - original).mean() > 5 and covered.std() < original.std() / 2


def test_mask_sheet_is_published_with_its_statement(toy_swapper: Swapper, folder: Path) -> None:
    output = folder / "sheet.png"
    source, target = folder / "source.png", folder / "target.png"
    publish_mask_sheet(
        toy_swapper, source, target, output, grant=request_change(load_context(), [source], target, output, CONSENT)
    )
    assert read_statement(output)["consent"] == CONSENT
    with Image.open(output) as image:
        assert image.width > image.height > 500


def test_the_result_on_a_mask_sheet_carries_the_watermark(tmp_path: Path) -> None:
    swapper, face = facechange.load("facechange-256"), EXAMPLES / "target.jpg"
    grant = request_change(load_context(), [EXAMPLES / "source.jpg"], face, tmp_path / "sheet.png", CONSENT)
    publish_mask_sheet(swapper, EXAMPLES / "source.jpg", face, tmp_path / "sheet.png", grant=grant)
    sheet = read_picture(tmp_path / "sheet.png").rgb8()
    faces = sorted(swapper.detect(sheet), key=lambda each: each.box[0])
    marked = [find_watermark(sheet, [each]) is not None for each in faces]
    # Source and target lie to the left of the result; masks may look like faces to the detector, too.
    assert marked.count(True) == 1 and marked.index(True) >= 2, marked


def test_sheet_shows_crops_and_masks_in_order() -> None:
    crops = [np.full((64, 64, 3), value, np.uint8) for value in (10, 20, 30)]
    masks = [np.full((side, side), value, np.float32) for side, value in ((4, 0.0), (4, 0.2), (8, 0.4), (8, 0.6))]
    sheet = draw_mask_sheet(*crops, masks)
    tiles = {value: sheet[..., 0] == value for value in (10, 20, 30, 0, 51, 102, 153)}
    assert all(tiles[value].sum() >= 64 * 64 for value in (10, 20, 30))
    columns = {value: int(np.argmax(tiles[value].sum(0) > 100)) for value in (0, 51, 102, 153)}
    assert columns[0] == columns[51] < columns[102] == columns[153]  # a column a measure
    assert all(tiles[value].sum() >= 120 * 120 for value in columns)
