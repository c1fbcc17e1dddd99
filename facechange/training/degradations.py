"""Everything that happens to a training crop, each with its share: what the few thousand clean portraits at hand
lack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from facechange.training import augment, camera
from facechange.training.config import DEGRADATION_SHARES
from facechange.training.geometric import turn_scenes
from facechange.training.occluders import KINDS, cover_scenes
from facechange.training.scenes import Scenes, change_some


def degrade_scenes(scenes: Scenes, shares: dict[str, float], generator: torch.Generator, textures: Tensor) -> Scenes:
    """Turn, cover, light, blur and compress a share of a copy of `scenes` each; a pure function of the generator.

    `textures` [T, 3, S, S] uint8 on the scenes' device are what occluders are cut from.
    """
    changes: dict[str, Callable[[Scenes, torch.Generator], Scenes]] = {
        "turn": turn_scenes,
        **{name: partial(cover_scenes, kind=name, textures=textures) for name in KINDS},
        "tint": _of_pictures(lambda pictures, dice: augment.change_light(pictures, dice, 0.3)),
        "side_light": _light_from_side,
        "low_light": _of_pictures(camera.dim_light),
        "blur": _of_pictures(camera.blur),
        "noise": _of_pictures(lambda pictures, dice: augment.add_noise(pictures, dice, 0.06)),
        "low_detail": _of_pictures(camera.lower_detail),
        "compression": _of_pictures(camera.compress),
        "grey": _of_pictures(lambda pictures, dice: augment.grey_some(pictures, dice, 1)),
    }
    assert changes.keys() == DEGRADATION_SHARES.keys()
    # Each its own copy: the masks that come in may be one and the same.
    degraded = Scenes(scenes.pictures.clone(), scenes.points.clone(), scenes.background.clone(), scenes.covered.clone())
    for name, change in changes.items():
        change_some(degraded, shares.get(name, 0.0), generator, change)
    return degraded


def _of_pictures(change: Callable[[Tensor, torch.Generator], Tensor]) -> Callable[[Scenes, torch.Generator], Scenes]:
    """A change of the pictures alone."""
    return lambda scenes, generator: replace(scenes, pictures=change(scenes.pictures, generator))


def _light_from_side(scenes: Scenes, generator: torch.Generator) -> Scenes:
    return replace(scenes, pictures=camera.light_from_side(scenes.pictures, scenes.points, generator))
