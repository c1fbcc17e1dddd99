"""Training of the finest resolution alone, on windows: what a grown model lacks is detail, and detail is local.

The smaller model that it grew from stays as it is and runs once a picture, without gradients. Only the level that
growing added learns, on random windows, so that a window costs the same at 256² and at 1024². Averaged down, a window
is to show what the smaller model drew there (`losses.low_frequency_loss`), so formula 3 asks for the target's detail
alone: asked for all of it, the level would bring the target's face back in. Of different people the detail differs, but
is to be as strong as the target's (`losses.texture_loss`): skin stays the target's. Up to 256², where recognizers of
identity see the detail, they are also shown a few whole pictures.

The level runs in float32. Rounding to bfloat16 makes detail of its own, in faces a quarter as strong as the picture's
at 256² and two fifths at 512² and 1024²: in training it would pass for detail, and be missing afterwards. On a
processor with AVX-512 BF16 it cost no time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facechange.models.face_change import FaceChangeNetwork
from facechange.models.growing import FinestLevel
from facechange.training import losses
from facechange.training.config import FaceConfig
from facechange.training.face_batch import FaceBatch
from facechange.training.face_step import FaceNetworks, FaceStep, face_reach
from facechange.training.memory import autocast, place
from facechange.training.ranks import Ranks

MARGIN_PX = 4  # around a window, where convolutions miss what lies beyond; even
# of their room: so far beyond the picture's border windows are drawn and moved back to it; a third of them touch it
BEYOND = 1 / 8
WINDOWS_SHARE = 8  # of the windows that would lie side by side in a picture, one in so many is cut, and two at least
WHOLE_PX = 256  # the largest pictures whose detail reaches the recognizers of identity
WHOLE_SHARE = 4  # one in so many pictures is drawn whole for them


@dataclass(frozen=True)
class WindowBatch(FaceBatch):
    """Windows [K, ., W, W] of pairs, and the same with their margin, M = W + 2 MARGIN_PX, for the level that learns."""

    # where in the margin the window lies, (down, across), [K, 2]; at the picture's border there is none on that side
    inner: Tensor
    identity: Tensor  # f_id [K, 512]
    wide_target: Tensor  # [K, 3, M, M]
    feature: Tensor  # the smaller model's fusion feature, [K, C, M/2, M/2]
    attribute: Tensor  # its finest f_att, [K, C, M/2, M/2]
    coarse: Tensor  # what it drew, [K, 3, W/2, W/2]
    seen_whole: tuple[Tensor, Tensor, Tensor, Tensor]  # the feature, f_att, target and f_id of the last pictures, whole
    reach: Tensor  # `face_reach` of these


class DetailStep(FaceStep):
    """A step on windows of `config.window` pixels; `smaller` is the model of half the size."""

    def __init__(self, config: FaceConfig, networks: FaceNetworks, smaller: FaceChangeNetwork) -> None:
        level = FinestLevel(networks.swapper)
        level.learn_alone()
        super().__init__(config, networks)
        self._smaller = place(smaller, self.device).eval().requires_grad_(False)
        self._refine = self.compiled(level)

    def advance(self, batches: Sequence[FaceBatch], step: int, ranks: Ranks | None = None) -> dict[str, Tensor]:
        """Train both sides on windows of `batches`; the terms of `FaceStep.advance`, less those that need a whole
        face."""
        return super().advance([self._cut(batch) for batch in batches], step, ranks)

    @torch.no_grad()
    def _cut(self, batch: FaceBatch) -> WindowBatch:
        generator = torch.Generator(self.device).manual_seed(self.config.seed * 1_000_003 + batch.number + 250_000)
        rows = torch.arange(len(batch.target), device=self.device).repeat(count_windows(self.config))
        assert self.config.window is not None
        side, room = self.config.window + 2 * MARGIN_PX, self.config.size - self.config.window - 2 * MARGIN_PX
        beyond = round(BEYOND * room / 2)
        drawn_at = torch.randint(
            -beyond, room // 2 + beyond + 1, (len(rows), 2), generator=generator, device=self.device
        )
        corners = (2 * drawn_at).clamp(0, room)
        inner = MARGIN_PX * (1 + (corners == room).long() - (corners == 0).long())
        identity = self.read_identities(batch)
        with autocast(self.device):
            attributes = self._smaller.attributes(functional.avg_pool2d(batch.target, 2))
            feature, _ = self._smaller.generator.fuse(identity, attributes)
            coarse = self._smaller.generator.colour(feature)
            feature, attribute, coarse = (each.float() for each in (feature, attributes[-1], coarse))
        window, places = self.config.window, corners + inner
        last = slice(len(batch.target) - count_whole(self.config), None)  # the first are same-object pairs
        return WindowBatch(
            number=batch.number,
            source=cut_windows(batch.source, rows, places, window),
            source_points=batch.source_points[rows],
            person=batch.person[rows],
            person_points=batch.person_points[rows],
            target=cut_windows(batch.target, rows, places, window),
            target_points=batch.target_points[rows],
            background=cut_windows(batch.background, rows, places, window),
            covered=cut_windows(batch.covered, rows, places, window),
            border=cut_windows(batch.border, rows, places, window),
            same_object=batch.same_object[rows],
            wanted=cut_windows(batch.wanted, rows, places, window),
            whole_target=batch.target,
            viewed=batch.viewed[rows],
            inner=inner,
            identity=identity[rows],
            wide_target=cut_windows(batch.target, rows, corners, side),
            feature=cut_windows(feature, rows, corners // 2, side // 2),
            attribute=cut_windows(attribute, rows, corners // 2, side // 2),
            coarse=cut_windows(coarse, rows, places // 2, window // 2),
            seen_whole=(feature[last], attribute[last], batch.target[last], identity[last]),
            reach=face_reach(batch.background[last], batch.covered[last]),
        )

    def read_identities(self, batch: FaceBatch) -> Tensor:
        """f_id of each pair, or of each window's: [K, 512]."""
        return batch.identity if isinstance(batch, WindowBatch) else super().read_identities(batch)

    def _generator_terms(
        self, batch: FaceBatch, identity: Tensor, perturb: Callable[[Tensor], Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(batch, WindowBatch)
        self.networks.discriminator.requires_grad_(False)
        wide, wide_masks = self._refine(batch.feature, batch.attribute, batch.wide_target, identity)
        rows, side = torch.arange(len(wide), device=self.device), batch.target.shape[-1]
        changed, *masks = (cut_windows(each, rows, batch.inner, side) for each in (wide, *wide_masks))
        seen_whole: dict[str, Tensor] = {}
        if len(batch.seen_whole[0]):
            whole, _ = self._refine(*batch.seen_whole)
            seen_whole = self.identity_terms(batch, whole, batch.reach, generator)
        detail, wanted = losses.finest_detail(changed), losses.finest_detail(batch.wanted)
        return changed, self.picture_terms(batch, changed, masks, perturb) | seen_whole | {
            "reconstruction": losses.reconstruction_loss(detail, wanted, batch.same_object),
            "texture": losses.texture_loss(changed, batch.wanted),
            "low_frequency": losses.low_frequency_loss(changed, batch.coarse, batch.background),
        }


def count_windows(config: FaceConfig) -> int:
    """How many windows are cut from a picture: at 1024² it takes far longer to degrade and to draw one than to learn
    from a window."""
    assert config.window is not None
    return max(2, (config.size // config.window) ** 2 // WINDOWS_SHARE)


def count_whole(config: FaceConfig) -> int:
    """How many pictures of a micro-batch are drawn whole for the recognizers of identity in a run on windows."""
    return math.ceil(config.micro_batch / WHOLE_SHARE) if config.size <= WHOLE_PX else 0


def cut_windows(whole: Tensor, rows: Tensor, corners: Tensor, side: int) -> Tensor:
    """Windows [K, C, side, side] of pictures [N, C, R, R]: `rows` [K] says of which, `corners` [K, 2] where (down,
    across)."""
    reach = torch.arange(side, device=whole.device)
    down, across = (corners[:, i : i + 1] + reach for i in (0, 1))  # [K, side]
    # channels last in memory
    return whole[rows[:, None, None], :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)
