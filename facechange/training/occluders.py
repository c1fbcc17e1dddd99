"""Things in front of a face: hands, glasses, hats, hair, microphones, scarves, and patches of photographs.

Each is a distance field in face coordinates (`scenes.face_coordinates`: eyes at about ±0.5, mouth at 1), negative
inside, so that edges are as sharp at 1024² as at 64². M_bg counts what is covered: the model is to keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facechange.training.augment import constant, uniform
from facechange.training.scenes import Scenes, face_coordinates

SKIN = ((0.95, 0.8, 0.72), (0.85, 0.62, 0.5), (0.62, 0.42, 0.32), (0.36, 0.23, 0.17))
HAIR = ((0.08, 0.06, 0.05), (0.28, 0.18, 0.11), (0.72, 0.56, 0.34), (0.7, 0.7, 0.7))


@dataclass(frozen=True)
class Cover:
    """What lies over a picture."""

    distance: Tensor  # [N, 1, R, R] in face units, negative inside
    colour: Tensor  # [N, 3, R, R], nominally in [-1, 1]; clipped when it is pasted
    opacity: Tensor | float = 1.0  # of its inside


Draw = Callable[..., Tensor]  # (low, high, width=1) => uniform [N, width, 1, 1]
# face coordinates [N, 2, R, R], dice, a photograph's texture [N, 3, R, R]
Kind = Callable[[Tensor, Draw, Tensor], Cover]


def cover_scenes(scenes: Scenes, generator: torch.Generator, kind: str, textures: Tensor) -> Scenes:
    """Put an occluder of `kind` over every scene, with a soft shadow; `textures` [T, 3, S, S] uint8 are what patches
    are cut from."""
    place = face_coordinates(scenes.points, scenes.size)
    count = len(scenes)

    def draw(low: float, high: float, width: int = 1) -> Tensor:
        return uniform(generator, (count, width, 1, 1), low, high)

    cover = KINDS[kind](place, draw, cut_textures(textures, count, scenes.size, generator))
    pixel = (place[:, :, :1, 1:2] - place[:, :, :1, :1]).norm(dim=1, keepdim=True)  # a pixel in face units
    alpha = (0.5 - cover.distance / pixel).clamp(0, 1) * cover.opacity
    shadow = 1 - draw(0, 0.45) * torch.sigmoid(-cover.distance / 0.06)
    pictures = (scenes.pictures + 1) * shadow - 1
    return Scenes(
        torch.lerp(pictures, cover.colour.clamp(-1, 1), alpha),
        scenes.points,
        torch.maximum(scenes.background, alpha),
        torch.maximum(scenes.covered, alpha * (1 - scenes.background)),
    )


def cut_textures(textures: Tensor, count: int, size: int, generator: torch.Generator) -> Tensor:
    """Random photographs, upside down, half of them mirrored, [count, 3, size, size] in [-1, 1]."""
    rows = torch.randint(len(textures), (count,), generator=generator, device=textures.device)
    cut = textures[rows].flip(2).float() / 127.5 - 1
    mirrored = uniform(generator, (count, 1, 1, 1), 0, 1) < 0.5
    cut = torch.where(mirrored, cut.flip(3), cut)
    return cut if cut.shape[-1] == size else functional.interpolate(cut, size=size, mode="bilinear")


def hand(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """A palm below or beside the face and four fingers that reach over it."""
    angle = draw(-1.9, 1.9)  # from straight below
    direction = torch.cat([angle.sin(), angle.cos()], 1)
    palm = direction * draw(1.0, 1.9) + constant((0.0, 0.6), place.device).view(1, 2, 1, 1)
    distance = capsule(place, palm, palm + direction * 2, draw(0.38, 0.5))
    spread, reach = draw(0.1, 0.28), draw(0.8, 1.15)
    bend = draw(-0.3, 0.3)
    for number in (-1.5, -0.5, 0.5, 1.5):
        turn = angle + torch.pi + bend + number * spread
        finger = torch.cat([turn.sin(), turn.cos()], 1)
        side = torch.cat([direction[:, 1:], -direction[:, :1]], 1) * (-0.24 * number)
        length = reach * (1.05 - 0.08 * abs(number))
        distance = torch.minimum(
            distance, capsule(place, palm + side, palm + side + finger * length, 0.115 - 0.01 * abs(number))
        )
    return Cover(distance, paint(distance, pick_colour(SKIN, draw), 0.14, draw, texture))


def glasses(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """A frame around both eyes with bridge and temples; a third of the lenses are dark."""
    x, y = place[:, :1], place[:, 1:]
    width, height, thickness = draw(0.34, 0.46), draw(0.24, 0.4), draw(0.015, 0.06)
    lens = superellipse(x.abs() - 0.5, y - 0.06, width, height, draw(2, 5))
    frame = lens.abs() - thickness
    bridge = torch.maximum((y + 0.02).abs() - thickness, x.abs() - (0.5 - width))
    temples = torch.maximum((y + 0.05).abs() - thickness, (0.5 + width) - x.abs())
    temples = torch.maximum(temples, x.abs() - 1.15)
    frame = torch.minimum(frame, torch.minimum(bridge, temples))
    dark = draw(0, 1) < 0.35
    glass = torch.where(dark, draw(0.75, 0.98), draw(0.0, 0.12))
    shown = (frame < 0).float()
    of_frame = paint(frame, torch.where(draw(0, 1) < 0.6, draw(0, 0.2), draw(0, 1, 3)), 0.03, draw)
    of_glass = torch.lerp(torch.where(dark, draw(0, 0.25), draw(0.7, 1)).expand(-1, 3, -1, -1) * 2 - 1, texture, 0.15)
    return Cover(torch.minimum(frame, lens), torch.lerp(of_glass, of_frame, shown), torch.maximum(shown, glass))


def hat(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """Everything above a curved brim between hair line and brows: plain, or of a photograph's texture."""
    x, y = place[:, :1], place[:, 1:]
    brim = draw(-0.95, -0.4) + draw(-0.15, 0.3) * x.square() + draw(-0.08, 0.08) * x
    distance = y - brim
    colour = torch.where(draw(0, 1) < 0.5, texture, paint(distance, draw(0.02, 0.9, 3), 0.5, draw, texture))
    band = 1 - 0.4 * torch.sigmoid((distance + draw(0.08, 0.3)) / 0.01)
    return Cover(distance, (colour + 1) * band - 1)


def hair(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """A few strands that fall over the face from above."""
    x, y = place[:, :1], place[:, 1:]
    middle, lean, end = draw(-1.0, 1.0), draw(-0.5, 0.5), draw(0.2, 2.0)
    distance = torch.full_like(x, 9.0)
    for _ in range(6):
        path = middle + draw(-0.3, 0.3) + (lean + draw(-0.1, 0.1)) * y + draw(-0.12, 0.12) * y.square()
        strand = (x - path).abs() - draw(0.006, 0.06) * (1 - (y + 1) / (end + 2)).clamp(min=0.1)
        distance = torch.minimum(distance, torch.maximum(strand, y - end - draw(-0.3, 0.3)))
    return Cover(distance, paint(distance, pick_colour(HAIR, draw), 0.05, draw, texture))


def microphone(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """A ball before the mouth or chin on a stick that comes from below."""
    head = torch.cat([draw(-0.5, 0.5), draw(0.95, 1.55)], 1)
    foot = torch.cat([draw(-1.2, 1.2), draw(2.8, 3.2)], 1)
    ball = torch.hypot(place[:, :1] - head[:, :1], place[:, 1:] - head[:, 1:]) - draw(0.22, 0.4)
    distance = torch.minimum(ball, capsule(place, head, foot, draw(0.08, 0.16)))
    weave = draw(30, 60)
    mesh = 1 + 0.25 * (place[:, :1] * weave).sin() * (place[:, 1:] * weave).sin() * (ball < 0)
    colour = paint(distance, torch.where(draw(0, 1) < 0.7, draw(0.03, 0.35), draw(0, 1, 3)), 0.25, draw)
    return Cover(distance, (colour + 1) * mesh - 1)


def scarf(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """Cloth over mouth and chin with a curved upper edge, as wide as the face or wider."""
    x, y = place[:, :1], place[:, 1:]
    distance = torch.maximum(draw(0.45, 1.0) + draw(-0.25, 0.25) * x.square() - y, x.abs() - draw(0.8, 3))
    folds = 1 + 0.12 * (y * draw(4, 14) + x * draw(-3, 3)).sin()
    colour = torch.where(draw(0, 1) < 0.4, texture, paint(distance, draw(0.05, 1, 3), 0.3, draw, texture))
    return Cover(distance, (colour + 1) * folds - 1)


def patch(place: Tensor, draw: Draw, texture: Tensor) -> Cover:
    """A turned, wavy disc or box cut out of a photograph: a cup, a telephone, a leaf."""
    centre = torch.cat([draw(-1.2, 1.2), draw(-0.8, 1.8)], 1)
    angle = draw(0, 2 * torch.pi)
    x, y = place[:, :1] - centre[:, :1], place[:, 1:] - centre[:, 1:]
    x, y = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    wave = 1 + torch.where(draw(0, 1) < 0.5, draw(0, 0.25), 0.0) * (3 * torch.atan2(y, x) + angle).cos()
    distance = superellipse(
        x / wave, y / wave, draw(0.2, 0.75), draw(0.2, 0.75), torch.where(draw(0, 1) < 0.5, 2.0, 10.0)
    )
    colour = torch.where(draw(0, 1) < 0.75, texture, paint(distance, draw(0, 1, 3), 0.3, draw))
    return Cover(distance, colour)


KINDS: dict[str, Kind] = {kind.__name__: kind for kind in (hand, glasses, hat, hair, microphone, scarf, patch)}


def capsule(place: Tensor, start: Tensor, end: Tensor, radius: Tensor | float) -> Tensor:
    """Distance to a thick line from `start` to `end` [N, 2, 1, 1] => [N, 1, R, R]."""
    line = end - start
    line_x, line_y = line[:, :1], line[:, 1:]
    x, y = place[:, :1] - start[:, :1], place[:, 1:] - start[:, 1:]
    along = ((x * line_x + y * line_y) / line.square().sum(1, keepdim=True)).clamp(0, 1)
    return torch.hypot(x - line_x * along, y - line_y * along) - radius


def superellipse(x: Tensor, y: Tensor, width: Tensor, height: Tensor, power: Tensor) -> Tensor:
    """About the distance to an ellipse (`power` 2) or a box with round corners (larger), with those half axes."""
    level = ((x / width).abs().clamp(min=1e-3) ** power + (y / height).abs().clamp(min=1e-3) ** power) ** (1 / power)
    return (level - 1) * torch.minimum(width, height)


def pick_colour(choices: tuple[tuple[float, ...], ...], draw: Draw) -> Tensor:
    """A colour [N, 3, 1, 1] in 0..1 between two neighbours of `choices`."""
    where = draw(0, len(choices) - 1)
    table = constant(choices, where.device)
    below = where.long().clamp(max=len(choices) - 2)[:, 0, 0, 0]
    return torch.lerp(table[below], table[below + 1], where[:, 0, 0] - below[:, None])[..., None, None]


def paint(distance: Tensor, colour: Tensor, roundness: float, draw: Draw, texture: Tensor | None = None) -> Tensor:
    """A colour in 0..1 with darker edges over `roundness` face units, uneven light, and a trace of a texture; in [-1,
    1]."""
    depth = (-distance / roundness).clamp(0, 1)
    shade = 0.6 + 0.4 * depth * (2 - depth)
    size = distance.shape[-1]
    uneven = functional.interpolate(draw(0.75, 1.2, 16).view(-1, 1, 4, 4), size=size, mode="bilinear")
    painted = colour * shade * uneven
    if texture is not None:
        painted = painted * (1 + 0.2 * texture.mean(1, keepdim=True))
    return painted.expand(-1, 3, -1, -1) * 2 - 1
