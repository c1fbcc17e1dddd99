"""Run a face-change graph on batches of aligned crops, with the identity folded into its weights where that pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facechange.core import ModelError
from facechange.runtime.exposure import expose, find_exponents
from facechange.runtime.graph import Graph
from facechange.runtime.tensors import to_tensor, to_unit_range

# the finest mask that says where nothing changes; those of levels grown beyond say where the target's detail comes in
KEPT_PX = 128
PIXELS_A_RUN = 1 << 20  # crops are run together up to so many pixels: 64 of 128², one of 1024²; it bounds memory


@dataclass(frozen=True)
class ChangedCrops:
    """What the model made of a batch of crops."""

    before: np.ndarray  # [N, R, R, 3] float32 in [0, 1]: the crops
    after: np.ndarray  # [N, R, R, 3] float32 in [0, 1]
    # for each crop masks [h, w] float32 in [0, 1], coarse to fine: all, or the one for `paste_back` alone
    masks: list[list[np.ndarray]]

    def kept_mask(self, index: int) -> np.ndarray | None:
        """The mask that `paste_back` takes for a crop, the finest of `KEPT_PX` at most; None where the graph has
        none."""
        return next((mask for mask in reversed(self.masks[index]) if len(mask) <= KEPT_PX), None)


@dataclass(frozen=True, eq=False, repr=False)
class BakedIdentity:
    """An identity folded into a face-change graph, quicker to run for it: made by `CropSwapper.bake`, kept by whoever
    asked.

    It lives in memory only, because it is biometric.
    """

    identity: np.ndarray  # [512] float32
    graph: Graph  # which takes crops alone


class CropSwapper:
    """A face-change graph as a function of crops. Raises `ModelError` for a graph of another kind."""

    def __init__(self, graph: Graph) -> None:
        if "changed" not in graph.output_names or graph.card.size_px <= 0:
            raise ModelError(
                f"{graph.card.name} is not a face-change model.", "Give a graph written by facechange export."
            )
        self.card = graph.card
        self.size_px = graph.card.size_px
        self.engine, self.engine_reason = graph.engine, graph.engine_reason
        self._graph = graph
        self._mask_names = _coarse_to_fine(graph.output_names)
        self._kept_mask_names = kept_mask_names(graph.output_names)

    def bake(self, identity: np.ndarray) -> BakedIdentity:
        """The graph specialised to `identity` [512]; it pays where many crops get that identity."""
        own = np.array(identity, np.float32)
        return BakedIdentity(own, self._graph.bake({"identity": own[None]}))

    def change(self, crops: np.ndarray, identity: np.ndarray | BakedIdentity, with_masks: bool = False) -> ChangedCrops:
        """Give `crops` the `identity`: [512] or a baked one for all of them, or [N, 512], one each.

        `crops` are [N, R, R, 3] RGB: uint8, uint16 or float32 in [0, 1]. With `with_masks` every control mask comes
        along.
        """
        assert crops.shape[1:] == (self.size_px, self.size_px, 3), crops.shape
        graph, given = (
            (identity.graph, {}) if isinstance(identity, BakedIdentity) else (self._graph, {"identity": identity})
        )
        inputs = {
            name: np.broadcast_to(np.asarray(each, np.float32), (len(crops), each.shape[-1]))
            for name, each in given.items()
        }
        at_once = max(PIXELS_A_RUN // self.size_px**2, 1)
        parts = [
            self._run(graph, crops[part], {name: each[part] for name, each in inputs.items()}, with_masks)
            for part in (slice(start, start + at_once) for start in range(0, len(crops), at_once))
        ]
        if len(parts) == 1:
            return parts[0]
        before, after = (np.concatenate([getattr(part, name) for part in parts]) for name in ("before", "after"))
        return ChangedCrops(before, after, [masks for part in parts for masks in part.masks])

    def _run(self, graph: Graph, crops: np.ndarray, inputs: dict[str, np.ndarray], with_masks: bool) -> ChangedCrops:
        wanted = self._mask_names if with_masks else self._kept_mask_names
        before, median = to_float(crops), self.card.face_median
        exponents = find_exponents(before, median) if median else None
        if exponents is not None and (exponents == 1).all():  # no dark face: bytes need no detour through powers
            exponents = None
        tensors = _to_tensors(crops if exponents is None else expose(before, exponents))  # [N, 3, R, R]
        outputs = graph.run({"target": tensors, **inputs}, ["changed", *wanted])
        after = np.stack([to_unit_range(tensor[None]) for tensor in outputs["changed"]])
        if exponents is not None:
            after = expose(after, 1 / exponents)
        return ChangedCrops(
            before, after, [[outputs[name][index, 0] for name in wanted] for index in range(len(crops))]
        )


def kept_mask_names(output_names: list[str]) -> list[str]:
    """The mask output that `ChangedCrops.kept_mask` is; none where the graph has none."""
    return [name for name in _coarse_to_fine(output_names) if _resolution_and_layer(name)[0] <= KEPT_PX][-1:]


def to_float(crops: np.ndarray) -> np.ndarray:
    """Crops of any type as float32 in [0, 1]."""
    return crops if crops.dtype == np.float32 else crops * np.float32(1 / np.iinfo(crops.dtype).max)


def _to_tensors(crops: np.ndarray) -> np.ndarray:
    """[N, R, R, 3] => float32 [N, 3, R, R] in [-1, 1]."""
    if crops.dtype == np.float32:
        return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)) * np.float32(2) - np.float32(1)
    return np.concatenate([to_tensor(crop) for crop in crops])


def _coarse_to_fine(output_names: list[str]) -> list[str]:
    """The mask outputs (`mask_RESOLUTION_LAYER`) in the order in which the generator makes them."""
    return sorted((name for name in output_names if name.startswith("mask_")), key=_resolution_and_layer)


def _resolution_and_layer(mask_name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in mask_name.split("_")[1:])
