"""What light, lens, sensor and storage do to a picture, on batches: float32 [N, 3, R, R] in [-1, 1], nothing moves.

Pure functions of a generator; no number is read back from the device. Light is mixed in linear values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from facechange.runtime.exposure import EXPONENTS, FACE
from facechange.training.augment import constant, uniform
from facechange.training.scenes import face_coordinates

GAMMA = 2.2
HEAD_CENTRE, HEAD_RADII = (0.0, 0.5), (1.05, 1.5)  # an ellipsoid in face coordinates that light falls on


def to_light(pictures: Tensor) -> Tensor:
    """[-1, 1] to linear light in 0..1."""
    return ((pictures + 1) / 2).clamp(1e-4, 1).pow(GAMMA)


def from_light(light: Tensor) -> Tensor:
    """EqualizedLinear light, clipped to 0..1, to [-1, 1]."""
    return light.clamp(1e-6, 1).pow(1 / GAMMA) * 2 - 1


def light_from_side(pictures: Tensor, points: Tensor, generator: torch.Generator) -> Tensor:
    """One lamp far to a side of a head-shaped ellipsoid at `points` [N, 5, 2]; what is behind the head gets an even
    light."""
    count = len(pictures)

    def draw(low: float, high: float) -> Tensor:
        return uniform(generator, (count, 1, 1, 1), low, high)

    place = face_coordinates(points, pictures.shape[-1])
    x, y = ((place[:, i : i + 1] - HEAD_CENTRE[i]) / HEAD_RADII[i] for i in (0, 1))
    radius = (x * x + y * y).sqrt()
    outside = radius.clamp(min=1)
    azimuth = torch.deg2rad(draw(40, 85)) * torch.where(draw(-1, 1) < 0, -1.0, 1.0)
    height = torch.deg2rad(draw(-10, 50))
    lambert = x / outside * azimuth.sin() * height.cos() - y / outside * height.sin()
    lambert = (lambert + (1 - radius.square()).clamp(min=0).sqrt() * azimuth.cos() * height.cos()).clamp(min=0)
    ambient = draw(0.12, 0.5)
    shade = ambient + (1.35 - ambient) * lambert
    behind = torch.sigmoid((radius - 1.15) * 12)
    colour = 1 + uniform(generator, (count, 3, 1, 1), -0.1, 0.1)
    return from_light(to_light(pictures) * (shade + (draw(0.3, 1) - shade) * behind) * colour)


def dim_light(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """A dark room: little light, a warm cast, the shot and read noise of a sensor whose gain is turned up."""
    count = len(pictures)
    exposure = torch.exp(uniform(generator, (count, 1, 1, 1), math.log(0.08), math.log(0.4)))
    cast = 1 + uniform(generator, (count, 1, 1, 1), 0, 0.25) * constant((1.0, 0.1, -0.9), pictures.device).view(
        1, 3, 1, 1
    )
    light = to_light(pictures) * exposure * cast
    noise = torch.randn(pictures.shape, generator=generator, device=pictures.device)
    grain = uniform(generator, (count, 1, 1, 1), 0, 1)
    light = light + noise * grain * (light * 0.002 + 1e-5).sqrt()
    gain = torch.exp(uniform(generator, (count, 1, 1, 1), 0, 1) * -exposure.log() * 0.7)
    return from_light(light * gain)


def blur(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Blur by a camera that moves (a line), or one that is out of focus (a disc), up to 1/24 of the side; mirrored at
    the edges.

    Both are exact products in the frequency domain: sinc along the line, 2 J1(x) / x for the disc.
    """
    count, _, _, size = pictures.shape
    margin = size // 16
    padded = functional.pad(pictures, (margin,) * 4, mode="reflect")
    side = padded.shape[-1]
    down = torch.fft.fftfreq(side, device=pictures.device).view(1, 1, -1, 1)
    across = torch.fft.rfftfreq(side, device=pictures.device).view(1, 1, 1, -1)
    angle = uniform(generator, (count, 1, 1, 1), 0, torch.pi)
    length = uniform(generator, (count, 1, 1, 1), 1 / 100, 1 / 24) * size
    line = torch.sinc((across * angle.cos() + down * angle.sin()) * length)
    x = (across.square() + down.square()).sqrt().clamp(min=1e-6) * (torch.pi * length)
    disc = torch.special.bessel_j1(x) * 2 / x
    transfer = torch.where(uniform(generator, (count, 1, 1, 1), 0, 1) < 0.5, line, disc)
    soft = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer, s=(side, side))
    return soft[..., margin:-margin, margin:-margin].clamp(-1, 1)


def lower_detail(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """A picture of half or a quarter of the side, enlarged again."""
    size = pictures.shape[-1]
    half = functional.avg_pool2d(pictures, 2)
    quarter = functional.interpolate(functional.avg_pool2d(half, 2), size=size // 2, mode="bilinear")
    small = torch.where(uniform(generator, (len(pictures), 1, 1, 1), 0, 1) < 0.6, half, quarter)
    return functional.interpolate(small, size=size, mode="bilinear")


# Annex K of JPEG: the usual steps of luma and chroma at quality 50.
# fmt: off
LUMA_STEPS = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
CHROMA_STEPS = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
) + (99,) * 32
TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
FROM_YCBCR = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
# fmt: on


def compress(pictures: Tensor, generator: torch.Generator, worst: float = 20, best: float = 85) -> Tensor:
    """JPEG without its file: YCbCr with halved chroma, 8 × 8 cosines, rounded to the steps of a random quality; R is a
    multiple of 16."""
    quality = uniform(generator, (len(pictures), 1, 1, 1), worst, best)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    ycbcr = mix_channels(pictures, TO_YCBCR)
    luma = _round_cosines(ycbcr[:, :1], LUMA_STEPS, factor)
    chroma = _round_cosines(functional.avg_pool2d(ycbcr[:, 1:], 2), CHROMA_STEPS, factor)
    chroma = functional.interpolate(chroma, scale_factor=2, mode="bilinear")
    return mix_channels(torch.cat([luma, chroma], 1), FROM_YCBCR).clamp(-1, 1)


def find_exponents(pictures: Tensor, median: float) -> Tensor:
    """`runtime.exposure.find_exponents` of [N, 3, R, R] in [-1, 1]: exponents [N, 1, 1, 1]."""
    top, bottom, left, right = (round(part * pictures.shape[-1]) for part in FACE)
    luma = constant(TO_YCBCR[0], pictures.device) @ ((pictures[:, :, top:bottom, left:right].flatten(2) + 1) / 2)
    found = luma.median(1).values.clamp(0.02, 0.98)
    return (math.log(median) / found.log()).clamp(*EXPONENTS).view(-1, 1, 1, 1)


def expose(pictures: Tensor, exponents: Tensor) -> Tensor:
    """Pictures in [-1, 1] whose values in 0..1 are raised to `exponents` [N, 1, 1, 1]."""
    return ((pictures + 1) / 2).clamp(0, 1).pow(exponents) * 2 - 1


def mix_channels(pictures: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """A 3 × 3 matrix on the colours of [N, 3, H, W]."""
    return torch.einsum("oc,nchw->nohw", constant(matrix, pictures.device), pictures)


def _round_cosines(planes: Tensor, steps: tuple[int, ...], factor: Tensor) -> Tensor:
    """Planes [N, C, H, W] in [-1, 1] through an 8 × 8 cosine transform, rounded to `steps` times `factor`, and back."""
    count, channels, height, width = planes.shape
    cosines = _cosine_matrix(planes.device)
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)  # [N, C, h, w, 8, 8]
    table = (constant(steps, planes.device).view(8, 8) * factor[..., None, None]).clamp(1, 255) / 127.5
    coefficients = cosines @ blocks @ cosines.T
    blocks = cosines.T @ ((coefficients / table).round() * table) @ cosines
    return blocks.transpose(3, 4).reshape(planes.shape)


def _cosine_matrix(device: torch.device) -> Tensor:
    """The orthonormal 8 × 8 cosine transform."""
    index = torch.arange(8, device=device)
    matrix = torch.cos((2 * index + 1) * index[:, None] * (torch.pi / 16)) / 2
    matrix[0] *= 0.5**0.5
    return matrix
