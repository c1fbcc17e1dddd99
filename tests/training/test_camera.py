"""What light, lens and storage do to pictures, against OpenCV where it knows the same."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facechange.runtime import exposure
from facechange.training import camera

POINTS = torch.tensor([[48.0, 60.0], [80.0, 60.0], [64.0, 76.0], [50.0, 92.0], [78.0, 92.0]])


def draw_picture(seed: int = 0, size: int = 128) -> np.ndarray:
    """Soft coloured blobs with some edges, uint8 [size, size, 3]."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.integers(0, 256, (size, size, 3), dtype=np.uint8), (0, 0), 4)
    image = cv2.normalize(image, None, 20, 235, cv2.NORM_MINMAX)
    cv2.circle(image, (size // 2, size // 2), size // 4, (200, 60, 40), -1)
    cv2.line(image, (5, size - 9), (size - 7, 20), (20, 90, 220), 3)
    return image


def as_pictures(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("quality", [30, 75])
def test_compression_is_jpegs(quality: int) -> None:
    image = draw_picture()
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    expected = cv2.imdecode(cv2.imencode(".jpg", image[..., ::-1], options)[1], cv2.IMREAD_COLOR)[..., ::-1]
    ours = camera.compress(as_pictures(image), torch.Generator(), quality, quality)
    found = ((ours[0] + 1) * 127.5).permute(1, 2, 0).numpy()
    lost, apart = (np.sqrt(np.mean((image.astype(float) - other) ** 2)) for other in (expected, expected * 0 + found))
    between = np.sqrt(np.mean((expected - found) ** 2))
    assert between < 0.6 * lost, "it errs in other places than JPEG"
    assert apart == pytest.approx(lost, rel=0.2)


def test_blur_is_a_mean_along_a_line_or_over_a_disc() -> None:
    size, count = 128, 48
    spot = torch.zeros(count, 3, size, size)
    spot[:, :, 64, 64] = 1
    soft = camera.blur(spot, torch.Generator().manual_seed(0))[:, 0]
    assert soft.sum((1, 2)) == pytest.approx(torch.ones(count), abs=0.02)
    index = torch.arange(size) - 64.0
    near = soft * (torch.hypot(index, index[:, None]) < 8)  # farther away a sharp edge rings
    axes = torch.stack([index.expand(size, size), index[:, None].expand(size, size)])
    spread = torch.linalg.eigvalsh(torch.einsum("nhw,ihw,jhw->nij", near, axes, axes))  # narrow, wide
    discs = spread[:, 0] > 0.5 * spread[:, 1]
    assert 10 < discs.sum() < count - 10
    assert spread[~discs, 0].abs().max() < 0.35, "a line is thin"
    assert spread[:, 1].max() < (size / 24) ** 2 / 12 + 0.4
    even = torch.full((4, 3, size, size), 0.3)
    assert torch.allclose(camera.blur(even, torch.Generator().manual_seed(1)), even, atol=1e-5)


def test_light_from_a_side_leaves_the_other_side_dark() -> None:
    count = 16
    lit = camera.light_from_side(
        torch.zeros(count, 3, 128, 128), POINTS.expand(count, 5, 2), torch.Generator().manual_seed(0)
    )
    left, right = lit[:, :, 60:100, 40:56].mean((1, 2, 3)), lit[:, :, 60:100, 72:88].mean((1, 2, 3))
    assert ((left - right).abs() > 0.05).all() and (left > right).any() and (right > left).any()
    assert lit.abs().max() <= 1 and lit.isfinite().all()


def test_a_dark_room_is_dark_and_noisy() -> None:
    grey = torch.zeros(32, 3, 64, 64)
    dark = camera.dim_light(grey, torch.Generator().manual_seed(0))
    assert dark.mean() < -0.3 and dark.mean((1, 2, 3)).max() < 0.05
    assert dark.std((2, 3)).max() > 0.05


def test_less_detail_keeps_the_tone() -> None:
    picture = as_pictures(draw_picture()).expand(8, -1, -1, -1)
    coarse = camera.lower_detail(picture, torch.Generator().manual_seed(0))
    assert coarse.shape == picture.shape
    assert torch.allclose(coarse.mean((2, 3)), picture.mean((2, 3)), atol=0.01)
    assert (coarse.diff(dim=3).abs().mean((1, 2, 3)) < 0.95 * picture.diff(dim=3).abs().mean()).all()


def test_faces_are_exposed_as_at_inference() -> None:
    pictures = (
        torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        * torch.tensor([0.5, 1.0, 1.6]).view(3, 1, 1, 1)
        - 1
    )
    crops = ((pictures + 1) / 2).permute(0, 2, 3, 1).numpy()
    exponents = camera.find_exponents(pictures, 0.56)
    assert np.allclose(exponents.flatten(), exposure.find_exponents(crops, 0.56), atol=1e-2)
    exposed = camera.expose(pictures, exponents)
    assert np.allclose(
        (exposed.permute(0, 2, 3, 1) + 1) / 2, exposure.expose(crops, exponents.flatten().numpy()), atol=1e-3
    )
    assert torch.allclose(camera.expose(exposed, 1 / exponents), pictures, atol=1e-2)
