"""One step of face-change training (Fig. 5): the generator with formulas 1 to 6, then the discriminator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.models.discriminator import Discriminator, FeatureDiscriminator
from facechange.models.face_change import FaceChangeNetwork, fix_masks
from facechange.models.growing import FinestLevel
from facechange.models.landmarks import LandmarkNetwork
from facechange.models.mobilenet import MobileNetRecognizer
from facechange.models.presets import find_preset
from facechange.training import augment, losses
from facechange.training.config import FaceConfig
from facechange.training.face_batch import FaceBatch, crop_identity
from facechange.training.memory import autocast, place, resolve_device
from facechange.training.ranks import Ranks
from facechange.training.starting import AnyIdentity

REACH_CELLS = 16  # a side: as fine as the reach of L_ICL follows the face
# From here on the finest resolution runs in float32, since rounding to bfloat16 makes detail of its own, and its detail
# is held by `losses.texture_loss`.
DETAIL_FROM_PX = 256

Recognizer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FaceNetworks:
    """What is trained (`swapper`, `discriminator`), its moving average, and the frozen recognizers of identity."""

    swapper: FaceChangeNetwork
    ema: FaceChangeNetwork
    discriminator: Discriminator
    identity: AnyIdentity
    recognizer: AnyIdentity
    landmarks: LandmarkNetwork | None
    further_recognizer: MobileNetRecognizer | None = None
    feature_discriminator: FeatureDiscriminator | None = None

    def recognizers(self, names: Sequence[str]) -> dict[str, Recognizer]:
        """z of L_ICL by each recognizer named, and by the further one where there is one: crops [N, 3, 112, 112] to unit
        vectors."""
        every: dict[str, Recognizer] = {"identity": self.identity.view, "recognizer": self.recognizer.view}
        further = self.further_recognizer
        return {name: every[name] for name in names} | ({} if further is None else {"further_recognizer": further.view})

    def trained(self) -> dict[str, nn.Module]:
        """The networks that a checkpoint holds."""
        trained: dict[str, nn.Module] = {"swapper": self.swapper, "ema": self.ema, "discriminator": self.discriminator}
        return trained | (
            {} if self.feature_discriminator is None else {"feature_discriminator": self.feature_discriminator}
        )

    def discriminators(self) -> list[nn.Module]:
        """What objects to results."""
        return [each for each in (self.discriminator, self.feature_discriminator) if each is not None]


def build_networks(
    config: FaceConfig,
    identity: AnyIdentity,
    recognizer: AnyIdentity,
    landmarks: LandmarkNetwork | None = None,
    further_recognizer: MobileNetRecognizer | None = None,
) -> FaceNetworks:
    """Fresh networks of the preset on the run's device, channels-last.

    Where there is a further recognizer a discriminator reads its maps of whole pictures.
    """
    device = resolve_device(config.device)
    on_features = None
    if further_recognizer is not None and config.window is None and config.weights["feature_gan"] > 0:
        on_features = place(FeatureDiscriminator(further_recognizer.map_channels), device)
    swapper = place(FaceChangeNetwork(config.preset, config.size), device)
    if not config.learn_masks:
        fix_masks(swapper)
    return FaceNetworks(
        swapper,
        copy.deepcopy(swapper).eval().requires_grad_(False),
        place(Discriminator(find_preset(config.preset).discriminator_channels(config.size, config.window)), device),
        place(identity, device).eval().requires_grad_(False),
        place(recognizer, device).eval().requires_grad_(False),
        None if landmarks is None else place(landmarks, device).eval().requires_grad_(False),
        None if further_recognizer is None else place(further_recognizer, device).eval().requires_grad_(False),
        on_features,
    )


class FaceStep:
    """Networks and optimisers, advanced a batch at a time; learning rates and the moving average are the loop's."""

    def __init__(self, config: FaceConfig, networks: FaceNetworks) -> None:
        self.config, self.networks = config, networks
        self.device = resolve_device(config.device)
        if config.window is None and config.size >= DETAIL_FROM_PX:
            run_in_float32(FinestLevel(networks.swapper).learned)

        def adam(*trained: nn.Module) -> torch.optim.Adam:
            learned = [each for network in trained for each in network.parameters() if each.requires_grad]
            return torch.optim.Adam(learned, config.learning_rate, config.adam_betas, fused=True)

        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "swapper_optimiser": adam(networks.swapper),
            "discriminator_optimiser": adam(*networks.discriminators()),
        }
        self._change, self._discriminate = self.compiled(networks.swapper), self.compiled(networks.discriminator)
        self._recognizers = {
            name: self.compiled(recognizer) for name, recognizer in networks.recognizers(config.recognizers).items()
        }

    def compiled(self, function: Any) -> Any:
        """`function`, compiled in a run that asks for it."""
        return torch.compile(function, fullgraph=True) if self.config.compile else function

    def advance(self, batches: Sequence[FaceBatch], step: int, ranks: Ranks | None = None) -> dict[str, Tensor]:
        """Train both sides on the micro-batches of step number `step` that are this rank's; gives the means of every
        loss term, unweighted, of `total` and of `discriminator`.

        What compares the pictures of a batch compares those of a micro-batch, wherever the others are worked on.
        """
        weights = self.config.weights | self._identity_weights(step)
        drawn: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = []
        rows: list[dict[str, Tensor]] = []
        with self._descending("swapper_optimiser", ranks or Ranks()):
            for batch in batches:
                seed = self.config.seed * 1_000_003 + batch.number + 500_000
                generator = torch.Generator(self.device).manual_seed(seed)
                augmented = self.config.augment_discriminator
                perturb = augment_for_discriminator(batch.target, generator) if augmented else _as_it_is
                changed, terms = self._generator_terms(batch, self.read_identities(batch), perturb, generator)
                total = losses.total_loss(terms, weights)
                (total / self.config.micro_batches).backward()
                drawn.append((changed.detach(), perturb))
                rows.append(terms | {"total": total})
        with self._descending("discriminator_optimiser", ranks or Ranks()):
            for batch, (changed, perturb), row in zip(batches, drawn, rows, strict=True):
                terms, total = self._discriminator_terms(batch, changed, perturb, step)
                (total / self.config.micro_batches).backward()
                row |= terms
        return {name: torch.stack([row[name].detach() for row in rows]).mean() for name in rows[0]}

    @torch.no_grad()
    def read_identities(self, batch: FaceBatch) -> Tensor:
        """f_id [N, 512] of each pair, read from the clean picture of the person or from the degraded source."""
        clean, degraded = (
            crop_identity(batch.person, batch.person_points),
            crop_identity(batch.source, batch.source_points),
        )
        crop = torch.where(batch.viewed.view(-1, 1, 1, 1), degraded, clean)
        with autocast(self.device):
            return self.networks.identity(crop.contiguous(memory_format=torch.channels_last))

    def _identity_weights(self, step: int) -> dict[str, float]:
        """The weights of L_ICL's terms, raised slowly in a run that starts from nothing: its gradient paints before D
        can object."""
        ramp = 0 if self.config.start_from is not None else self.config.identity_ramp_pictures
        share = min(1.0, step * self.config.batch / ramp) if ramp > 0 else 1.0
        return {name: share * self.config.weights[name] for name in ("identity", "contrast")}

    def _generator_terms(
        self, batch: FaceBatch, identity: Tensor, perturb: Callable[[Tensor], Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        for discriminator in self.networks.discriminators():
            discriminator.requires_grad_(False)
        with autocast(self.device):
            changed, masks = self._change(batch.target, identity, with_masks=True)
            changed = changed.float()
        terms = self.picture_terms(batch, changed, masks, perturb) | self._hold_landmarks(
            changed, batch.wanted, generator
        )
        reach = face_reach(batch.background, batch.covered)
        terms |= self.identity_terms(batch, changed, reach, generator)
        if self.networks.feature_discriminator is not None:
            # free to, its gradient would redraw what is around the face
            judged = self._judge_features(perturb(changed * reach + changed.detach() * (1 - reach)))
            terms["feature_gan"] = losses.mean_over(losses.generator_loss, judged)
        return changed, terms | {
            "tone": losses.tone_loss(changed, batch.wanted),
            "colour": losses.colour_loss(changed, batch.wanted),
        } | ({"texture": losses.texture_loss(changed, batch.wanted)} if self.config.size >= DETAIL_FROM_PX else {})

    def identity_terms(
        self, batch: FaceBatch, changed: Tensor, reach: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Both terms of L_ICL of whole pictures `changed`, made of the last pairs of `batch`: means over the
        recognizers.

        `reach` [N, 1, R, R] is the share of their gradient that a pixel gets.
        """
        last = slice(-len(changed), None)
        people = batch.person[last], batch.person_points[last]
        target = batch.whole_target[last], batch.target_points[last]
        return identity_terms(
            list(self._recognizers.values()),
            changed,
            people,
            target,
            None if self.config.free_recognizers else reach,
            generator,
        )

    def picture_terms(
        self, batch: FaceBatch, changed: Tensor, masks: Sequence[Tensor], perturb: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """The terms that a window of a picture has as well as the whole."""
        with autocast(self.device):
            with torch.no_grad():
                wanted_features = self._discriminate(perturb(batch.wanted))[1]
            logits, changed_features = self._discriminate(perturb(changed))
        outside = self.config.feature_layers_outside_face
        return {
            "mask": losses.mask_loss(masks),
            "kept_background": losses.kept_background_loss(masks, batch.background),
            "gan": losses.generator_loss(logits),
            "reconstruction": losses.reconstruction_loss(changed, batch.wanted, batch.same_object),
            "feature_matching": losses.feature_matching_loss(
                wanted_features, changed_features, batch.background, outside
            ),
            "background": losses.kept_loss(changed, batch.wanted, batch.background),
            "occluder": losses.kept_loss(changed, batch.wanted, batch.covered),
            "border": losses.kept_loss(changed, batch.wanted, batch.border),
        }

    def _hold_landmarks(self, changed: Tensor, target: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """The losses by landmarks, in a run that was given a landmark network; in float32, for they compare small
        differences."""
        if self.networks.landmarks is None:
            return {}
        seen, wanted = view_landmarks(changed, target, generator)
        with autocast(self.device):
            with torch.no_grad():
                places = self.networks.landmarks(wanted)
            found = self.networks.landmarks(seen)
        return {"landmarks": losses.landmark_loss(found, places), "pose": losses.pose_loss(found, places)}

    def _discriminator_terms(
        self, batch: FaceBatch, changed: Tensor, perturb: Callable[[Tensor], Tensor], step: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        config, discriminator = self.config, self.networks.discriminator
        for each in self.networks.discriminators():
            each.requires_grad_(True)
        with autocast(self.device):
            real_logits, fake_logits = (
                self._discriminate(perturb(batch.source))[0],
                self._discriminate(perturb(changed))[0],
            )
        terms = {"discriminator": losses.discriminator_loss(real_logits, fake_logits)}
        total = terms["discriminator"]
        if self.networks.feature_discriminator is not None:
            judged = (self._judge_features(perturb(pictures)) for pictures in (batch.source, changed))
            terms["feature_discriminator"] = losses.mean_over(losses.discriminator_loss, *judged)
            total = total + terms["feature_discriminator"]
        if step % config.gradient_penalty_interval == 0:
            real = perturb(batch.source).requires_grad_(True)
            terms["gradient_penalty"] = losses.gradient_penalty(discriminator(real)[0], real)
            total = total + terms["gradient_penalty"] * config.gradient_penalty / 2 * config.gradient_penalty_interval
        return terms, total

    def _judge_features(self, pictures: Tensor) -> list[Tensor]:
        assert self.networks.further_recognizer is not None and self.networks.feature_discriminator is not None
        with autocast(self.device):
            return self.networks.feature_discriminator(self.networks.further_recognizer.maps(pictures))

    @contextmanager
    def _descending(self, optimiser: str, ranks: Ranks) -> Iterator[None]:
        """Step by the gradients that the body leaves, of all ranks."""
        descending = self.optimisers[optimiser]
        descending.zero_grad(set_to_none=True)
        yield
        ranks.sum_gradients(each for group in descending.param_groups for each in group["params"])
        descending.step()


def run_in_float32(modules: Iterable[nn.Module]) -> None:
    """Let `modules` run outside of autocast, whatever is around them."""
    for module in modules:
        module.forward = _exactly(module.forward)


def _exactly(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*inputs: Tensor) -> Any:
        with torch.autocast(inputs[0].device.type, enabled=False):
            return forward(*(each.float() for each in inputs))

    return run


def identity_terms(
    recognizers: Sequence[Recognizer],
    changed: Tensor,
    people: tuple[Tensor, Tensor],
    target: tuple[Tensor, Tensor],
    reach: Tensor | None,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Both terms of L_ICL (formula 5) of results [N, 3, R, R]: means over the `recognizers`.

    `people` and `target` are whole pictures and their five points; `reach` [N, 1, R, R] is the share of the gradient
    that a pixel gets. Where `reach` is None the recognizers see everything as it is, in colour, and their gradient goes
    everywhere, as in the patent.
    """
    if reach is not None:
        changed = changed * reach + changed.detach() * (1 - reach)
    show = _to_recognizer if reach is not None else _crop_for_recognizer
    with autocast(changed.device):
        view = view_identity(changed, target[1], generator) if reach is not None else show(changed, target[1])
        with torch.no_grad():
            seen = [show(*people), show(*target)]
            known = [[recognizer(each) for each in seen] for recognizer in recognizers]
        seen_whole = [(recognizer(view), *of_both) for recognizer, of_both in zip(recognizers, known, strict=True)]
    return {
        "identity": torch.stack([losses.identity_loss(z, of_source) for z, of_source, _ in seen_whole]).mean(),
        "contrast": torch.stack(
            [losses.contrast_loss(z, of_source, of_target) for z, of_source, of_target in seen_whole]
        ).mean(),
    }


def _to_recognizer(pictures: Tensor, points: Tensor) -> Tensor:
    """What the recognizers see of a person or a target: the crop without colour, as they see the result."""
    return augment.to_grey(crop_identity(pictures, points)).contiguous(memory_format=torch.channels_last)


def _crop_for_recognizer(pictures: Tensor, points: Tensor) -> Tensor:
    """The same in colour."""
    return crop_identity(pictures, points).contiguous(memory_format=torch.channels_last)


def face_reach(background: Tensor, covered: Tensor) -> Tensor:
    """What L_ICL may change: 1 in the face, falling to 0 within a tenth of the side; 0 where something covers it.

    Takes M_bg and `FaceBatch.covered`, and gives as they are [N, 1, R, R] in [0, 1]. The recognizers see hair and
    forehead too, and their gradient would redraw the target's hair line after the source's.
    """
    near = (losses.shrink_mask(1 - background, REACH_CELLS) > 0).float()
    return functional.interpolate(near, size=background.shape[-1], mode="bilinear") * (1 - covered)


def view_identity(changed: Tensor, points: Tensor, generator: torch.Generator) -> Tensor:
    """What the recognizers of identity see of a result: crops turned, moved, mirrored, with other contrast, without
    colour.

    A recognizer that always sees the same view gets fooled, and what it can't see its gradient does not paint: with
    colour in half of the views, faces came out tinted long before D could object.
    """
    matrices = augment.jitter_matrices(augment.identity_matrices(points), 112, generator, 4, 0.05, 0.02)
    view = augment.to_grey(crop_identity(changed, points, matrices))
    view = view * augment.uniform(generator, (len(view), 1, 1, 1), 0.8, 1.2)
    mirrored = augment.uniform(generator, (len(view), 1, 1, 1), 0, 1) < 0.5
    return torch.where(mirrored, view.flip(-1), view).contiguous(memory_format=torch.channels_last)


def view_landmarks(changed: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the landmark network sees of a result and its target: both without colour, turned, scaled and moved
    alike."""
    matrices = augment.constant(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), target.device).expand(len(target), 2, 3)
    matrices = augment.jitter_matrices(matrices, target.shape[-1], generator, 8, 0.08, 0.04)
    views = (augment.warp(augment.to_grey(pictures), matrices, target.shape[-1]) for pictures in (changed, target))
    seen, wanted = (view.contiguous(memory_format=torch.channels_last) for view in views)
    return seen, wanted


def _as_it_is(pictures: Tensor) -> Tensor:
    return pictures


def augment_for_discriminator(like: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Differentiable augmentation (Zhao et al. 2020: colour, cut-out), drawn once for all pictures of a step.

    One draw for X_t and Y keeps the features of formula 4 comparable. Nothing moves, so M_bg stays where it is.
    """
    count, _, size, _ = like.shape
    brightness = augment.uniform(generator, (count, 1, 1, 1), -0.3, 0.3)
    contrast = augment.uniform(generator, (count, 1, 1, 1), 0.7, 1.3)
    saturation = augment.uniform(generator, (count, 1, 1, 1), 0.5, 1.5)
    shown = 1 - augment.random_boxes(count, size, generator, 0.5, 0.3, 0.5)

    def perturb(pictures: Tensor) -> Tensor:
        grey = pictures.mean(1, keepdim=True)
        pictures = grey + (pictures - grey) * saturation
        middle = functional.adaptive_avg_pool2d(pictures, 1).mean(1, keepdim=True)
        return ((pictures - middle) * contrast + middle + brightness) * shown

    return perturb
