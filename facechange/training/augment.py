"""Augmentation as pure functions on batches: float32 [N, 3, H, W] in [-1, 1], randomness from a given generator."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from facechange.faces.geometry import ARCFACE_POINTS_112

LARGEST_UNSHRUNK = 256  # pictures above this are halved before the 112² crop is sampled, so that it does not alias


def to_float(pictures: Tensor) -> Tensor:
    """uint8 in 0..255 to float32 in [-1, 1]."""
    return pictures.float().div_(127.5).sub_(1)


@cache
def constant(values: tuple[float, ...] | tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    """A table of numbers, copied to the device once: an accelerator is waited for at every copy."""
    return torch.tensor(values, device=device)


def uniform(generator: torch.Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Uniform numbers on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def flip_some(pictures: Tensor, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror half of the batch, points [N, 5, 2] with it; the third value says which [N]."""
    chosen = uniform(generator, (len(pictures),), 0, 1) < 0.5
    mirrored = points[:, [1, 0, 2, 4, 3]].clone()
    mirrored[..., 0] = pictures.shape[-1] - 1 - mirrored[..., 0]
    return (
        torch.where(chosen.view(-1, 1, 1, 1), pictures.flip(-1), pictures),
        torch.where(chosen.view(-1, 1, 1), mirrored, points),
        chosen,
    )


def identity_matrices(points: Tensor, size: int = 112) -> Tensor:
    """Batch of `geometry.identity_crop_matrix`: points [N, 5, 2] to matrices [N, 2, 3]."""
    template = constant(tuple(map(tuple, ARCFACE_POINTS_112.tolist())), points.device) * (size / 112)
    source, destination = (
        torch.view_as_complex(points.float().contiguous()),
        torch.view_as_complex(template.contiguous()),
    )
    source_mean, destination_mean = source.mean(1, keepdim=True), destination.mean()
    centred = source - source_mean
    turn = (centred.conj() * (destination - destination_mean)).sum(1) / (centred.abs() ** 2).sum(1)
    shift = destination_mean - turn * source_mean[:, 0]
    rows = [torch.stack([turn.real, -turn.imag, shift.real], 1), torch.stack([turn.imag, turn.real, shift.imag], 1)]
    return torch.stack(rows, 1)


def jitter_matrices(
    matrices: Tensor, size: int, generator: torch.Generator, roll_degrees: float, scale: float, shift: float
) -> Tensor:
    """Follow each matrix by a random turn, scale (a fraction) and shift (a fraction of `size`) about the crop's
    centre."""
    count = len(matrices)
    angle = torch.deg2rad(uniform(generator, (count,), -roll_degrees, roll_degrees))
    factor = 1 + uniform(generator, (count,), -scale, scale)
    cos, sin = angle.cos() * factor, angle.sin() * factor
    centre = (size - 1) / 2
    linear = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    offset = centre - linear.sum(2) * centre + uniform(generator, (count, 2), -shift, shift) * size
    return torch.cat([linear @ matrices[:, :, :2], (linear @ matrices[:, :, 2:]) + offset[..., None]], 2)


def warp(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Bilinear warp by matrices [N, 2, 3] (picture to crop, pixel centres) to [N, C, size, size]; differentiable in
    `pictures`."""
    height, width = pictures.shape[-2:]
    # affine_grid wants crop-to-picture in coordinates where -1 and 1 are the outer edges of the outer pixels.
    (a, b), (c, d) = (row.unbind(1) for row in matrices[:, :, :2].unbind(1))
    linear = torch.stack([d, -b, -c, a], 1).view(-1, 2, 2) / (a * d - b * c).view(-1, 1, 1)
    shift = -linear @ matrices[:, :, 2:]
    half = (size - 1) / 2
    shift = shift + linear.sum(2, keepdim=True) * half
    to_unit = constant((2 / width, 2 / height), pictures.device).view(1, 2, 1)
    centre = constant(((width - 1) / 2, (height - 1) / 2), pictures.device).view(1, 2, 1)
    theta = torch.cat([linear * (size / 2) * to_unit, (shift - centre) * to_unit], 2)
    grid = functional.affine_grid(theta, [len(pictures), pictures.shape[1], size, size], align_corners=False)
    return functional.grid_sample(pictures, grid.to(pictures.dtype), padding_mode="border", align_corners=False)


def to_grey(pictures: Tensor) -> Tensor:
    """Without colour: [N, 3, H, W] whose three channels are all the mean of R, G and B.

    Not a luma: the gradient of recognizers that see faces through this one changes colours as it weighs them. Luma
    weighs green most, and shadows came out purple.
    """
    return pictures.mean(1, keepdim=True).expand_as(pictures)


def grey_some(pictures: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """Take the colour out of a share of the batch."""
    return torch.where(
        (uniform(generator, (len(pictures),), 0, 1) < share).view(-1, 1, 1, 1), to_grey(pictures), pictures
    )


def change_light(pictures: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Random gain, offset and colour cast, and light that falls off towards one side."""
    count, _, height, width = pictures.shape
    gain = 1 + uniform(generator, (count, 1, 1, 1), -strength, strength)
    cast = uniform(generator, (count, 3, 1, 1), -strength / 3, strength / 3)
    offset = uniform(generator, (count, 1, 1, 1), -strength / 2, strength / 2)
    slope = uniform(generator, (count, 2), -strength, strength)
    across = torch.linspace(-1, 1, width, device=pictures.device).view(1, 1, 1, width)
    down = torch.linspace(-1, 1, height, device=pictures.device).view(1, 1, height, 1)
    side = 1 + 0.5 * (slope[:, 0].view(-1, 1, 1, 1) * across + slope[:, 1].view(-1, 1, 1, 1) * down)
    return ((pictures + 1) * gain * side * (1 + cast) - 1 + offset).clamp(-1, 1)


def add_noise(pictures: Tensor, generator: torch.Generator, largest_sigma: float) -> Tensor:
    """Gaussian noise of a random strength a picture."""
    sigma = uniform(generator, (len(pictures), 1, 1, 1), 0, largest_sigma)
    noise = torch.randn(pictures.shape, generator=generator, device=pictures.device)
    return (pictures + noise * sigma).clamp(-1, 1)


def random_boxes(
    count: int, size: int, generator: torch.Generator, share: float, smallest: float = 0.15, largest: float = 0.45
) -> Tensor:
    """Sharp rectangles, 1 inside, 0 outside, [N, 1, size, size]; all 0 for the rest of the batch."""
    centre = uniform(generator, (count, 2), 0, size)
    half = uniform(generator, (count, 2), smallest, largest) * size / 2
    index = torch.arange(size, device=generator.device)
    inside = [((index - centre[:, i : i + 1]).abs() < half[:, i : i + 1]) for i in (0, 1)]
    chosen = uniform(generator, (count,), 0, 1) < share
    return (inside[1].view(count, 1, size, 1) & inside[0].view(count, 1, 1, size) & chosen.view(-1, 1, 1, 1)).float()


def half_plane(count: int, size: int, generator: torch.Generator, softness: float = 0.06) -> Tensor:
    """Masks [N, 1, size, size] in [0, 1] that split the picture along a random line near the centre with a soft
    edge."""
    angle = uniform(generator, (count, 1, 1), 0, 2 * torch.pi)
    offset = uniform(generator, (count, 1, 1), -0.25, 0.25)
    axis = torch.linspace(-1, 1, size, device=generator.device)
    distance = axis.view(1, 1, -1) * angle.cos() + axis.view(1, -1, 1) * angle.sin() - offset
    return torch.sigmoid(distance / softness).unsqueeze(1)
