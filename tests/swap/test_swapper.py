from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.core import FaceError, ModelError
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.faces.tint import find_tint
from facechange.images import as_picture
from facechange.runtime import load_graph
from facechange.runtime.crops import ChangedCrops, kept_mask_names
from facechange.swap import Swapper
from facechange.swap.swapper import group_faces

EXAMPLES = Path(__file__).parents[2] / "examples"  # made by the project's own model
ORANGE, YELLOW, PINK = (230, 110, 60), (235, 190, 40), (230, 60, 140)
Draw = Callable[..., np.ndarray]


@pytest.fixture
def crowd(faces_picture: Draw) -> np.ndarray:
    return faces_picture({(70, 150): ORANGE, (200, 150): YELLOW, (330, 150): PINK})


@pytest.fixture
def person(faces_picture: Draw) -> np.ndarray:
    return faces_picture({(200, 150): ORANGE}, height=160)


def test_identity_has_length_one_and_tells_people_apart(
    toy_swapper: Swapper, person: np.ndarray, faces_picture: Draw
) -> None:
    identity = toy_swapper.identify(person)
    assert identity.shape == (512,)
    assert np.linalg.norm(identity) == pytest.approx(1, abs=1e-5)
    smaller = toy_swapper.identify(faces_picture({(100, 100): ORANGE}))
    other = toy_swapper.identify(faces_picture({(100, 100): YELLOW}))
    assert identity @ smaller > 0.98 > identity @ other


def test_several_sources_average(toy_swapper: Swapper, faces_picture: Draw) -> None:
    first, second = (faces_picture({(200, 150): colour}) for colour in (ORANGE, YELLOW))
    one, two, both = toy_swapper.identify(first), toy_swapper.identify(second), toy_swapper.identify(first, second)
    np.testing.assert_allclose(both, (one + two) / np.linalg.norm(one + two), atol=1e-6)


def test_arrays_paths_and_pil_images_mean_the_same(toy_swapper: Swapper, person: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "person.png"
    Image.fromarray(person).save(path)
    expected = toy_swapper.identify(person)
    for source in (path, str(path), Image.open(path)):
        np.testing.assert_array_equal(toy_swapper.identify(source), expected)


def test_every_face_changes_and_the_rest_stays(toy_swapper: Swapper, crowd: np.ndarray, faces_picture: Draw) -> None:
    changed = toy_swapper.change(crowd, toy_swapper.identify(faces_picture({(200, 150): YELLOW})))
    assert len(changed.faces) == 3
    assert changed.image.shape == crowd.shape
    assert changed.image.dtype == np.uint8
    assert changed.masks == []
    assert np.abs(changed.image[150, 70].astype(int) - crowd[150, 70]).max() > 20
    np.testing.assert_array_equal(changed.image[:30], crowd[:30])


def test_only_the_chosen_face_changes(toy_swapper: Swapper, crowd: np.ndarray, person: np.ndarray) -> None:
    changed = toy_swapper.change(crowd, toy_swapper.identify(person), toy_swapper.select(crowd, "right"))
    np.testing.assert_array_equal(changed.image[:, :230], crowd[:, :230])
    assert not np.array_equal(changed.image[:, 230:], crowd[:, 230:])


def test_strength_goes_from_the_targets_own_identity_to_the_sources(
    toy_swapper: Swapper, person: np.ndarray, faces_picture: Draw
) -> None:
    target = faces_picture({(200, 150): PINK})
    pink, orange = toy_swapper.identify(target), toy_swapper.identify(person)
    at = {strength: toy_swapper.change(target, orange, strength=strength).image for strength in (0.0, 0.5, 1.0, 1.3)}
    np.testing.assert_array_equal(at[0.0], toy_swapper.change(target, pink).image)
    np.testing.assert_array_equal(at[1.0], toy_swapper.change(target, orange).image)
    blue = [int(image[150, 200, 2]) for image in at.values()]
    assert blue == sorted(blue, reverse=True)
    assert len(set(blue)) == 4
    with pytest.raises(ValueError, match="strength"):
        toy_swapper.change(target, orange, strength=1.4)


def test_masks_come_coarse_to_fine(toy_swapper: Swapper, crowd: np.ndarray, person: np.ndarray) -> None:
    changed = toy_swapper.change(crowd, toy_swapper.identify(person), with_masks=True)
    assert [[mask.shape for mask in masks] for masks in changed.masks] == [[(4, 4), (4, 4), (64, 64), (64, 64)]] * 3


def test_like_finds_the_person_or_says_that_nobody_is(
    toy_swapper: Swapper, crowd: np.ndarray, faces_picture: Draw, tmp_path: Path
) -> None:
    reference = tmp_path / "reference.png"
    Image.fromarray(faces_picture({(90, 90): YELLOW}, height=140)).save(reference)
    (face,) = toy_swapper.select(crowd, f"like:{reference}")
    assert 190 < face.box[0] + face.box[2] / 2 < 210
    Image.fromarray(faces_picture({(90, 90): (110, 20, 10)}, height=140)).save(reference)
    with pytest.raises(FaceError, match="reference"):
        toy_swapper.select(crowd, f"like:{reference}")


def test_sixteen_bits_stay_and_grey_stays_grey(toy_swapper: Swapper, crowd: np.ndarray, person: np.ndarray) -> None:
    identity = toy_swapper.identify(person)
    faces = toy_swapper.detect(crowd)
    deep = crowd.astype(np.uint16) * 257 + 3
    changed = toy_swapper.change(deep, identity, faces)
    assert changed.image.dtype == np.uint16
    np.testing.assert_array_equal(changed.image[:30], deep[:30])
    grey = replace(as_picture(crowd[..., 1:2].repeat(3, axis=2)), grey=True)
    image = toy_swapper.change(grey, identity, faces).image
    assert not np.array_equal(image, grey.pixels)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_no_face_and_tiny_face_are_said_with_the_file(
    toy_swapper: Swapper, faces_picture: Draw, tmp_path: Path
) -> None:
    for height, message in ((0, "No face"), (10, "too small")):
        path = tmp_path / f"{height}.png"
        Image.fromarray(faces_picture({(50, 50): ORANGE} if height else {}, height=height)).save(path)
        with pytest.raises(FaceError, match=f"{path.name}: .*{message}"):
            toy_swapper.identify(path)


def test_every_face_that_is_located_can_be_changed(toy_swapper: Swapper, crowd: np.ndarray, person: np.ndarray) -> None:
    picture = crowd.copy()
    picture[20:30, 20:28] = ORANGE
    faces = toy_swapper.detect(picture)
    assert toy_swapper.change(picture, toy_swapper.identify(person), faces).faces == faces
    assert [face.size_px < 16 for face in toy_swapper.find_all(picture)] == [False] * len(faces) + [True]


def test_a_graph_of_another_kind_is_refused(toy_swapper: Swapper, identity_path: Path) -> None:
    with pytest.raises(ModelError, match="not a face-change model"):
        Swapper(toy_swapper._detector, load_graph(identity_path), load_graph(identity_path))


def test_what_is_kept_is_told_by_a_mask_of_a_whole_picture_and_not_of_its_detail() -> None:
    masks = [np.zeros((side, side), np.float32) for side in (64, 64, 128, 128, 256, 256)]
    crops = np.zeros((1, 256, 256, 3), np.float32)
    assert ChangedCrops(crops, crops, [masks]).kept_mask(0) is masks[3]
    assert ChangedCrops(crops, crops, [masks[:2]]).kept_mask(0) is masks[1]
    assert ChangedCrops(crops, crops, [[]]).kept_mask(0) is None
    names = ["changed", "mask_256_0", "mask_4_1", "mask_128_1", "mask_128_0", "mask_256_1"]
    assert kept_mask_names(names) == ["mask_128_1"] and kept_mask_names(names[:1]) == []


def test_a_batch_of_crops_is_each_crop_alone_whatever_its_type(
    toy_swapper: Swapper, crowd: np.ndarray, person: np.ndarray
) -> None:
    identity = toy_swapper.identify(person)
    size = toy_swapper.size_px
    crops = np.stack(
        [warp_crop(crowd, ffhq_crop_matrix(face.points, size), size) for face in toy_swapper.detect(crowd)]
    )
    together = toy_swapper.change_crops(crops, identity)
    assert together.before.shape == together.after.shape == (3, size, size, 3)
    np.testing.assert_allclose(together.before, crops / 255, atol=1e-6)
    assert not np.allclose(together.before, together.after, atol=0.05)
    for index, crop in enumerate(crops):
        for typed in (crop, crop.astype(np.uint16) * 257, crop.astype(np.float32) / 255):
            alone = toy_swapper.change_crops(typed[None], identity)
            np.testing.assert_allclose(alone.after[0], together.after[index], atol=1e-5)
        np.testing.assert_array_equal(alone.kept_mask(0), together.kept_mask(index))
    assert [len(masks) for masks in toy_swapper.change_crops(crops, identity, with_masks=True).masks] == [4] * 3
    own = np.stack([identity, -identity, identity])
    np.testing.assert_allclose(toy_swapper.change_crops(crops, own).after[::2], together.after[::2], atol=1e-6)
    assert not np.allclose(toy_swapper.change_crops(crops, own).after[1], together.after[1], atol=0.05)


def test_more_crops_than_fit_in_a_run_come_back_in_order(
    toy_swapper: Swapper, person: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = toy_swapper.identify(person)
    size = toy_swapper.size_px
    crops = np.random.default_rng(0).integers(0, 255, (5, size, size, 3), np.uint8)
    whole = toy_swapper.change_crops(crops, identity)
    monkeypatch.setattr("facechange.runtime.crops.PIXELS_A_RUN", 2 * size**2)
    parts = toy_swapper.change_crops(crops, identity)
    np.testing.assert_allclose(parts.after, whole.after, atol=1e-6)
    assert len(parts.masks) == 5


def test_a_baked_identity_changes_as_before_and_others_still_do(identity_path: Path, change_path: Path) -> None:
    swapper = Swapper(None, load_graph(identity_path, 1), load_graph(change_path, 1))
    first, second = (np.random.default_rng(seed).normal(size=512).astype(np.float32) for seed in (1, 2))
    crops = np.random.default_rng(0).integers(0, 255, (2, swapper.size_px, swapper.size_px, 3), np.uint8)
    expected = [swapper.change_crops(crops, identity).after for identity in (first, second)]
    baked = swapper.bake(first)
    ran: list[list[str]] = []
    general = swapper._crops._graph.run
    swapper._crops._graph.run = lambda inputs, outputs=None: ran.append(list(inputs)) or general(inputs, outputs)
    np.testing.assert_allclose(swapper.change_crops(crops, baked).after, expected[0], atol=1e-4)
    assert ran == [], "the baked graph was not used"
    np.testing.assert_allclose(swapper.change_crops(crops, second).after, expected[1], atol=1e-6)
    np.testing.assert_allclose(
        swapper.change_crops(crops, np.stack([first, second])).after[1], expected[1][1], atol=1e-6
    )
    assert len(ran) == 2


def test_neighbours_change_one_after_the_other_and_strangers_together(
    toy_swapper: Swapper, faces_picture: Draw
) -> None:
    picture = faces_picture({(60, 100): ORANGE, (95, 100): YELLOW, (130, 100): ORANGE, (300, 100): PINK}, height=30)
    faces = sorted(toy_swapper.detect(picture), key=lambda face: face.box[0])
    groups = group_faces(faces, toy_swapper.size_px, picture.shape)
    assert groups == [[0, 3], [1], [2]]
    identity = toy_swapper.identify(faces_picture({(200, 150): (200, 60, 90)}, height=160))
    one_by_one = picture
    for face in faces:
        one_by_one = toy_swapper.change(one_by_one, identity, [face]).image
    np.testing.assert_array_equal(toy_swapper.change(picture, identity, faces).image, one_by_one)


def test_the_photograph_itself_is_never_written(toy_swapper: Swapper, crowd: np.ndarray, person: np.ndarray) -> None:
    before = crowd.copy()
    toy_swapper.change(crowd, toy_swapper.identify(person))
    np.testing.assert_array_equal(crowd, before)


def test_what_the_model_draws_in_colour_is_grey_in_a_grey_picture_that_is_stored_as_colour() -> None:
    swapper = facechange.load("facechange-256", threads=1)
    colour = np.asarray(Image.open(EXAMPLES / "target.jpg").convert("RGB").resize((384, 384)))
    identity = swapper.identify(EXAMPLES / "source.jpg")
    grey = np.asarray(Image.fromarray(colour).convert("L").convert("RGB"))
    changed = swapper.change(grey, identity).image
    assert np.abs(changed.astype(int) - grey).mean() > 1
    assert np.ptp(changed, axis=2).max() == 0
    beside = np.hstack([colour, grey])  # a grey picture in a coloured page: each face by its own
    changed = swapper.change(beside, identity).image
    assert np.ptp(changed[:, 384 + 60 : -60], axis=2).max() == 0
    assert abs(np.ptp(changed[:, :384], axis=2).mean() - np.ptp(colour, axis=2).mean()) < 3


def test_a_sepia_picture_stays_on_its_own_curve() -> None:
    swapper = facechange.load("facechange-256", threads=1)
    sepia = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    colour = np.asarray(Image.open(EXAMPLES / "target.jpg").convert("RGB").resize((256, 256)))
    target = np.clip(colour @ sepia.T, 0, 255).round().astype(np.uint8)
    changed = swapper.change(target, swapper.identify(EXAMPLES / "source.jpg")).image
    assert np.abs(changed.astype(int) - target).mean() > 1
    unit = changed.astype(np.float32) / 255
    assert np.abs(unit - find_tint(target.astype(np.float32) / 255).apply(unit)).mean() < 1 / 255
