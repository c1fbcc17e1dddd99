import cv2
import numpy as np
import pytest

from facechange.faces.align import warp_crop
from facechange.faces.geometry import crop_rectangle, transform_points
from facechange.faces.paste_back import paste_back, soft_edge

SIZE = 64


def photograph(dtype: type = np.uint8, height: int = 300, width: int = 400) -> np.ndarray:
    generator = np.random.default_rng(0)
    smooth = cv2.resize(generator.random((10, 12, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(smooth * 0.8 + 0.1 + generator.normal(0, 0.02, smooth.shape), 0, 1)
    return np.rint(noisy * np.iinfo(dtype).max).astype(dtype)


def turned(scale: float, degrees: float = 20.0, centre: tuple[float, float] = (200.0, 150.0)) -> np.ndarray:
    """Matrix to a crop about `centre`, with `scale` crop pixels a photograph pixel."""
    matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
    matrix[:, 2] += (SIZE - 1) / 2 - np.array(centre)
    return matrix


def unit_crop(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return warp_crop(image, matrix, SIZE).astype(np.float32) / np.iinfo(image.dtype).max


def outside_crop(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(image.shape[:2])
    placed = transform_points(np.stack([columns, rows], -1), matrix)
    return ((placed < 0) | (placed > SIZE - 1)).any(-1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("keep", ["mask", "crop"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_pixels_outside_the_crop_are_bit_identical(dtype: type, keep: str, scale: float) -> None:
    image, matrix = photograph(dtype), turned(scale)
    before = unit_crop(image, matrix)
    changed = paste_back(image, before, 1 - before, matrix, keep)
    outside = outside_crop(image, matrix)
    assert changed.dtype == dtype
    assert outside.any()
    np.testing.assert_array_equal(changed[outside], image[outside])
    assert not np.array_equal(changed, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_no_change_gives_the_photograph_back(dtype: type, scale: float) -> None:
    image, matrix = photograph(dtype), turned(scale)
    before = unit_crop(image, matrix)
    np.testing.assert_array_equal(paste_back(image, before, before, matrix), image)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_whole_crop_lands_where_it_came_from(scale: float) -> None:
    """A crop of one colour covers its inner square with just that colour, at any scale."""
    image, matrix = photograph(), turned(scale)
    after = np.full((SIZE, SIZE, 3), (1.0, 0.5, 0.0), np.float32)
    changed = paste_back(image, unit_crop(image, matrix), after, matrix, "crop")
    rows, columns = np.indices(image.shape[:2])
    placed = transform_points(np.stack([columns, rows], -1), matrix)
    inner = ((placed > 8) & (placed < SIZE - 9)).all(-1)
    assert inner.sum() > 50
    assert np.abs(changed[inner].astype(int) - (255, 128, 0)).max() <= 1


def test_position_is_exact_to_a_tenth_of_a_pixel() -> None:
    """A smooth spot drawn in the crop has its centre of mass at the place that the matrix says."""
    for scale in (0.35, 1.0, 2.3):
        image, matrix = np.zeros((300, 400, 3), np.uint16), turned(scale, 33.0)
        rows, columns = np.indices((SIZE, SIZE))
        spot = np.exp(-((columns - 38) ** 2 + (rows - 27) ** 2) / 40)[..., None].repeat(3, 2).astype(np.float32)
        changed = paste_back(image, np.zeros_like(spot), spot, matrix, "crop")[..., 0].astype(float)
        rows, columns = np.indices(changed.shape)
        centre = np.array([(columns * changed).sum(), (rows * changed).sum()]) / changed.sum()
        np.testing.assert_allclose(transform_points(centre, matrix), (38, 27), atol=0.1 * max(scale, 1))


def test_mask_keeps_the_photographs_own_pixels_only_where_the_target_was_drawn_again() -> None:
    image, matrix = photograph(), turned(0.5, 0.0)
    before = unit_crop(image, matrix)
    after = np.clip(before + 0.01, 0, 1)  # a cast the mask disowns on the left ...
    # ... and a change that it says to be the target's
    after[:, SIZE // 2 :] = np.clip(before[:, SIZE // 2 :] + 0.3, 0, 1)
    changed = paste_back(image, before, after, matrix, "mask", np.ones((SIZE, SIZE), np.float32))
    difference = np.abs(changed.astype(int) - image).max(2)
    assert difference[120:180, 145:185].max() == 0
    assert difference[120:180, 220:250].min() > 25


def test_texture_of_the_photograph_survives_a_small_change() -> None:
    """A light cast on a crop three times too coarse leaves the photograph's noise in place; the whole crop blurs it."""
    image, matrix = photograph(), turned(0.3, 0.0)
    before = unit_crop(image, matrix)
    after = np.clip(before + 0.02, 0, 1)

    def texture(picture: np.ndarray) -> float:
        window = picture[110:190, 160:240].astype(np.float32)
        return float((window - cv2.GaussianBlur(window, (0, 0), 2)).std())

    assert texture(paste_back(image, before, after, matrix, "mask")) > 0.7 * texture(image)
    assert texture(paste_back(image, before, after, matrix, "crop")) < 0.4 * texture(image)


def test_face_across_the_border_and_outside() -> None:
    image = photograph()
    for centre in ((0.0, 0.0), (399.0, 150.0), (-900.0, 20.0)):
        matrix = turned(0.5, 10.0, centre)
        before = unit_crop(image, matrix)
        changed = paste_back(image, before, 1 - before, matrix)
        outside = outside_crop(image, matrix)
        np.testing.assert_array_equal(changed[outside], image[outside])


def test_soft_edge_rises_from_nothing_to_one() -> None:
    edge = soft_edge(128)
    assert edge[0].max() == edge[:, -1].max() == 0
    assert edge[20:-20, 20:-20].min() == 1
    assert (np.diff(edge[64, :20]) >= 0).all()


def test_in_place_is_the_same_and_a_given_array_is_written_in_its_rectangle_only() -> None:
    image, matrix = photograph(), turned(0.5)
    before = unit_crop(image, matrix)
    expected = paste_back(image, before, 1 - before, matrix)
    other = np.full_like(image, 7)
    assert paste_back(image, before, 1 - before, matrix, out=other) is other
    left, top, right, bottom = crop_rectangle(matrix, SIZE, image.shape)
    np.testing.assert_array_equal(other[top:bottom, left:right], expected[top:bottom, left:right])
    other[top:bottom, left:right] = 7
    assert (other == 7).all()
    in_place = image.copy()
    assert paste_back(in_place, before, 1 - before, matrix, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, expected)


@pytest.mark.parametrize("size", [128, 600])
def test_quick_way_is_the_plain_formula(size: int) -> None:
    """The blend at full size in NumPy, step by step, gives the same picture to a level in 255."""
    generator = np.random.default_rng(3)
    before = cv2.resize(generator.random((9, 9, 3), np.float32), (size, size))
    change = cv2.resize(
        generator.normal(0, 0.15, (12, 12, 3)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )
    after = np.clip(before + change, 0, 1)
    mask = cv2.resize(generator.random((10, 10), np.float32), (size, size))
    image = np.rint(before * 255).astype(np.uint8)
    blur, change = size / 64, after - before
    amount = cv2.GaussianBlur(np.abs(cv2.GaussianBlur(change, (0, 0), blur)).max(2), (0, 0), blur)
    same = np.exp(-((amount / 0.06) ** 2))
    share = np.clip((cv2.GaussianBlur(mask, (0, 0), blur) - 0.5) / 0.3, 0, 1)
    weight = soft_edge(size) * (1 - share**2 * (3 - 2 * share) * same)
    replaced = (weight * (1 - same))[..., None]
    added = weight[..., None] * change + replaced * before
    expected = np.clip(image + added * 255 - replaced * image, 0, 255)
    result = paste_back(image, before, after, np.array([[1.0, 0, 0], [0, 1, 0]]), "mask", mask)
    assert np.abs(result[2:-2, 2:-2] - expected[2:-2, 2:-2]).max() <= 1.5
