"""Run a face-change graph on batches of aligned crops, with the identity folded into its weights where that pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facechange.core import ModelError
from facechange.runtime.exposure import expose, find_exponents
from facechange.runtime.graph import Graph
from facechange.runtime.tensors import to_tensor, to_unit_range

SAME_IDENTITY = 1e-6  # of a component; normalising twice moves the last bit
KEPT_PX = 128  # the finest mask that says where nothing changes; those of levels grown beyond say where the target's detail comes in
PIXELS_A_RUN = 1 << 20  # crops are run together up to so many pixels: 64 of 128², one of 1024²; it bounds memory


@dataclass(frozen=True)
class ChangedCrops:
    """What the model made of a batch of crops."""

    before: np.ndarray  # [N, R, R, 3] float32 in [0, 1]: the crops
    after: np.ndarray  # [N, R, R, 3] float32 in [0, 1]
    masks: list[list[np.ndarray]]  # for each crop masks [h, w] float32 in [0, 1], coarse to fine: all, or the one for `put_back` alone

    def kept_mask(self, index: int) -> np.ndarray | None:
        """The mask that `put_back` takes for a crop, the finest of `KEPT_PX` at most; None where the graph has none."""
        return next((mask for mask in reversed(self.masks[index]) if len(mask) <= KEPT_PX), None)


class CropChanger:
    """A face-change graph as a function of crops. Raises `ModelError` for a graph of another kind."""

    def __init__(self, graph: Graph) -> None:
        if "changed" not in graph.output_names or graph.card.size_px <= 0:
            raise ModelError(f"{graph.card.name} is not a face-change model.", "Give a graph written by facechange export.")
        self.card = graph.card
        self.size_px = graph.card.size_px
        self.engine, self.engine_reason = graph.engine, graph.engine_reason
        self._graph = graph
        self._baked: tuple[np.ndarray, Graph] | None = None
        self._mask_names = _coarse_to_fine(graph.output_names)
        self._kept_mask_names = kept_mask_names(graph.output_names)

    def bake(self, identity: np.ndarray) -> None:
        """Specialise the graph to `identity` [512] for the crops that follow; the last one baked is kept, in memory only."""
        if self._baked is None or not _is_same(identity, self._baked[0]):
            own = np.array(identity, np.float32)
            self._baked = own, self._graph.bake({"identity": own[None]})

    def change(self, crops: np.ndarray, identity: np.ndarray, with_masks: bool = False) -> ChangedCrops:
        """Give `crops` the `identity`: [512] for all of them or [N, 512], one each.

        `crops` are [N, R, R, 3] RGB: uint8, uint16 or float32 in [0, 1]. With `with_masks` every control mask comes along.
        """
        assert crops.shape[1:] == (self.size_px, self.size_px, 3), crops.shape
        identities = np.broadcast_to(np.asarray(identity, np.float32), (len(crops), identity.shape[-1]))
        at_once = max(PIXELS_A_RUN // self.size_px**2, 1)
        parts = [
            self._run(crops[start : start + at_once], identities[start : start + at_once], with_masks)
            for start in range(0, len(crops), at_once)
        ]
        if len(parts) == 1:
            return parts[0]
        before, after = (np.concatenate([getattr(part, name) for part in parts]) for name in ("before", "after"))
        return ChangedCrops(before, after, [masks for part in parts for masks in part.masks])

    def _run(self, crops: np.ndarray, identities: np.ndarray, with_masks: bool) -> ChangedCrops:
        wanted = self._mask_names if with_masks else self._kept_mask_names
        before, median = _to_float(crops), self.card.face_median
        exponents = find_exponents(before, median) if median else None
        if exponents is not None and (exponents == 1).all():  # no dark face: bytes need no detour through powers
            exponents = None
        tensors = _to_tensors(crops if exponents is None else expose(before, exponents))  # [N, 3, R, R]
        baked = self._baked  # once: another thread may bake meanwhile
        if baked is not None and _is_same(identities, baked[0]):
            outputs = baked[1].run({"target": tensors}, ["changed", *wanted])
        else:
            outputs = self._graph.run({"target": tensors, "identity": identities}, ["changed", *wanted])
        after = np.stack([to_unit_range(tensor[None]) for tensor in outputs["changed"]])
        if exponents is not None:
            after = expose(after, 1 / exponents)
        return ChangedCrops(before, after, [[outputs[name][index, 0] for name in wanted] for index in range(len(crops))])


def kept_mask_names(output_names: list[str]) -> list[str]:
    """The mask output that `ChangedCrops.kept_mask` is; none where the graph has none."""
    return [name for name in _coarse_to_fine(output_names) if _measure_and_layer(name)[0] <= KEPT_PX][-1:]


def _is_same(identities: np.ndarray, identity: np.ndarray) -> bool:
    """Whether every one of `identities` [..., 512] is `identity` [512], but for rounding."""
    return bool(np.abs(identities - identity).max() < SAME_IDENTITY)


def _to_float(crops: np.ndarray) -> np.ndarray:
    """Crops of any type as float32 in [0, 1]."""
    return crops if crops.dtype == np.float32 else crops * np.float32(1 / np.iinfo(crops.dtype).max)


def _to_tensors(crops: np.ndarray) -> np.ndarray:
    """[N, R, R, 3] => float32 [N, 3, R, R] in [-1, 1]."""
    if crops.dtype == np.float32:
        return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)) * np.float32(2) - np.float32(1)
    return np.concatenate([to_tensor(crop) for crop in crops])


def _coarse_to_fine(output_names: list[str]) -> list[str]:
    """The mask outputs (`mask_MEASURE_LAYER`) in the order in which the generator makes them."""
    return sorted((name for name in output_names if name.startswith("mask_")), key=_measure_and_layer)


def _measure_and_layer(mask_name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in mask_name.split("_")[1:])
