"""Losses 1 to 6 of the patent as pure functions, and the few additions that these data need.

Means replace the sums of the patent everywhere, so that a weight means the same at every resolution.
Pictures are float32 [N, 3, R, R] in [-1, 1]; `background` is M_bg, [N, 1, R, R]: 1 outside the face hull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facechange.faces.mean_face68 import RIGID_POINTS, read_mean_face
from facechange.training.augment import constant

# Pairs of 300-W's landmarks (lids, lips, the mouth's corners), and for each a row [68] that subtracts the first from
# the last.
_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65), (48, 54))
OPENINGS = tuple(tuple(float((index == last) - (index == first)) for index in range(68)) for first, last in _PAIRS)
TEXTURE_PX = 8  # the patches in which the strength of detail is compared


def mask_loss(masks: Sequence[Tensor]) -> Tensor:
    """Formula 1: the mean of every control mask [N, 1, h, w], averaged over layers."""
    return torch.stack([mask.float().mean() for mask in masks]).mean()


def kept_background_loss(masks: Sequence[Tensor], background: Tensor) -> Tensor:
    """The mirror of formula 1 outside the face: how far the masks are from 1 there, averaged over layers.

    An addition: formula 1 alone shrinks masks everywhere and lets attribute features grow to make up for it.
    """
    return torch.stack([((1 - mask.float()) * shrink_mask(background, mask.shape[-1])).mean() for mask in masks]).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Formula 2, the generator's side, non-saturating: softplus(-D(Y))."""
    return functional.softplus(-fake_logits.float()).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Formula 2, the discriminator's side: softplus(-D(X_s)) + softplus(D(Y))."""
    return functional.softplus(-real_logits.float()).mean() + functional.softplus(fake_logits.float()).mean()


def mean_over(loss: Callable[..., Tensor], *logits: Sequence[Tensor]) -> Tensor:
    """The mean of formula 2, either side, over several discriminators' logits of the same pictures."""
    return torch.stack([loss(*each) for each in zip(*logits, strict=True)]).mean()


def gradient_penalty(real_logits: Tensor, real_pictures: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): the mean squared length of the gradient of D at real pictures."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_pictures, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean()


def reconstruction_loss(changed: Tensor, target: Tensor, same_object: Tensor) -> Tensor:
    """Formula 3: mean |Y - X_t| over the pairs marked in `same_object` [N]; 0 where there is none."""
    per_picture = (changed.float() - target).abs().mean((1, 2, 3))
    return (per_picture * same_object).sum() / same_object.sum().clamp(min=1)


def feature_matching_loss(
    target_features: Sequence[Tensor], changed_features: Sequence[Tensor], background: Tensor, first: int
) -> Tensor:
    """Formula 4: root-mean-square distance of discriminator features of X_t and Y.

    Outside the face for the `first` layers, everywhere but at a tenth for the rest.
    """
    total = background.new_zeros(())
    for layer, (real, fake) in enumerate(zip(target_features, changed_features, strict=True)):
        difference = (real.float() - fake.float()).square().mean(1, keepdim=True)
        if layer < first:
            total = (
                total + (difference * shrink_mask(background, real.shape[-1])).mean((1, 2, 3)).add(1e-8).sqrt().mean()
            )
        else:
            total = total + 0.1 * difference.mean((1, 2, 3)).add(1e-8).sqrt().mean()
    return total


def identity_loss(changed: Tensor, source: Tensor) -> Tensor:
    """Formula 5, its first term, on unit vectors z [N, D]: 1 - cos(z(Y), z(X_s))."""
    return (1 - (changed * source).sum(1)).mean()


def contrast_loss(changed: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Formula 5, its second term: (cos(z(Y), z(X_t)) - cos(z(X_s), z(X_t)))²; the patent weighs it like the first."""
    to_target, between = (changed * target).sum(1), (source * target).sum(1)
    return (to_target - between).square().mean()


def kept_loss(changed: Tensor, target: Tensor, kept: Tensor) -> Tensor:
    """An addition: mean |Y - X_t| where `kept` [N, 1, R, R] is 1, on every pair; 0 where it nowhere is.

    Three terms: what is outside the face hull, what covers the face, and the picture's border. In a mean over the whole
    background, the little that lies before faces, and the border that zero padding makes lighter, would hardly count.
    """
    return ((changed.float() - target).abs() * kept).sum() / (3 * kept.sum()).clamp(min=1)


def landmark_loss(changed: Tensor, target: Tensor) -> Tensor:
    """An addition: by how much the landmarks of Y and X_t [N, 68, 2], in parts of the side, differ.

    The sum of two means of absolute differences: of the coordinates of the 51 inner landmarks, and of the openings of
    eyes and mouth, which among 51 places would hardly count. The 17 of the outline are left out: they are background to
    L_rec and shape to L_ICL.
    """
    difference = changed - target
    return difference[:, 17:].abs().mean() + (constant(OPENINGS, difference.device) @ difference).abs().mean()


def pose_loss(changed: Tensor, target: Tensor) -> Tensor:
    """An addition: by how many radians the head of X_t turned on the way to Y, the mean of pitch, yaw and roll.

    Both are landmarks [N, 68, 2] in parts of the side. L_ICL turns heads by noses of another length or place, which are
    few of the 102 coordinates that `landmark_loss` holds.
    """
    eyes_apart = (target[:, 45] - target[:, 36]).norm(dim=1, keepdim=True)
    moves = (changed - target).flatten(1) / eyes_apart
    return (moves @ constant(_read_turns(), moves.device).T).abs().mean()


@cache
def _read_turns() -> tuple[tuple[float, ...], ...]:
    """Three rows [136]: pitch, yaw and roll, to first order, out of what 68 landmarks moved by, the outer eye corners
    being 1 apart.

    The least-squares turn, shift and scale of the rigid points of a mean face that looks ahead.
    """
    points = read_mean_face()[0][RIGID_POINTS]
    none, one, (x, y, z) = np.zeros(len(points)), np.ones(len(points)), points.T
    moves = np.array([[none, -z], [z, none], [-y, x], [one, none], [none, one], [x, y]])  # [6, 2, points]
    rows = np.zeros((3, 68, 2))
    rows[:, RIGID_POINTS] = np.linalg.pinv(moves.transpose(2, 1, 0).reshape(-1, 6))[:3].reshape(3, -1, 2)
    return tuple(tuple(row) for row in rows.reshape(3, -1).tolist())


def low_frequency_loss(changed: Tensor, coarse: Tensor, background: Tensor) -> Tensor:
    """An addition for runs of the finest resolution: mean |Y, halved - what the smaller model drew| inside the face."""
    size = coarse.shape[-1]
    difference = (functional.adaptive_avg_pool2d(changed.float(), size) - coarse.float()).abs()
    face = 1 - shrink_mask(background, size)
    return (difference * face).sum() / (3 * face.sum()).clamp(min=1)


def finest_detail(pictures: Tensor) -> Tensor:
    """What pictures [N, 3, R, R] lose when they are averaged down to half their size."""
    return pictures - functional.interpolate(functional.avg_pool2d(pictures, 2), scale_factor=2.0)


def texture_loss(changed: Tensor, target: Tensor) -> Tensor:
    """An addition from 256 pixels on: how far the strength of `finest_detail` in Y is from that in X_t, in patches.

    The strength is the root mean square over patches of `TEXTURE_PX`. What the detail shows is free.
    """
    power = (
        functional.avg_pool2d(finest_detail(each.float()).square().mean(1, keepdim=True), TEXTURE_PX)
        for each in (changed, target)
    )
    of_changed, of_target = (each.add(1e-6).sqrt() for each in power)
    return (of_changed - of_target).abs().mean()


def tone_loss(changed: Tensor, target: Tensor) -> Tensor:
    """An addition: mean |Y - X_t| after a strong blur (16 × 16 means), which keeps the light and the skin's
    brightness."""
    return (
        (functional.adaptive_avg_pool2d(changed.float(), 16) - functional.adaptive_avg_pool2d(target, 16)).abs().mean()
    )


def colour_loss(changed: Tensor, target: Tensor) -> Tensor:
    """An addition: mean difference of Y and X_t in what R, G and B are from their mean, after a blur (32 × 32 means).

    Recognizers see faces without colour, so nothing else says which colour the shade of a new nose is to have.
    """
    difference = functional.adaptive_avg_pool2d(changed.float(), 32) - functional.adaptive_avg_pool2d(target, 32)
    return (difference - difference.mean(1, keepdim=True)).abs().mean()


def shrink_mask(mask: Tensor, size: int) -> Tensor:
    """`mask` [N, 1, R, R] averaged down to `size`."""
    return functional.adaptive_avg_pool2d(mask, size)


def total_loss(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Formula 6: the weighted sum of the terms."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()
