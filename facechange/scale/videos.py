"""A video on a cluster: what has to happen in order stays here, and the networks change the crops elsewhere, many
batches ahead.

Faces are followed, changes put back in steady light, and segments encoded and noted in the journal by this machine, one
frame after the other, as each depends on the one before. What a network makes of a batch of crops depends on nothing
else, and it is nearly all of the arithmetic: so batches go to the workers as soon as it is known where the faces are.
What comes back is, to the bit, what would have been made here, whatever the order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.runtime import BakedIdentity
from facechange.runtime.crops import ChangedCrops, to_float
from facechange.scale.pool import DEPTH, WorkerPool
from facechange.swap.swapper import Place, Swapper

BATCHES_AHEAD = 64  # at most: their frames wait in memory


class SharedSwapper(Swapper):
    """A swapper whose crops, where they were foreseen, are changed by the workers of a pool; all else it does itself."""

    def __init__(self, swapper: Swapper, pool: WorkerPool) -> None:
        vars(self).update(vars(swapper))
        self._swapper, self._pool = swapper, pool
        self._foreseen: dict[bytes, Any] = {}  # what workers made, or None while they do
        self.by_workers = 0  # batches that were taken from them

    @property
    def foresight(self) -> int:
        """As many batches as keep every worker busy, and one more a worker that is done and waits."""
        return min((DEPTH + 1) * self._pool.size, BATCHES_AHEAD)

    def foresee(self, places: Sequence[Place], identity: np.ndarray | BakedIdentity) -> None:
        """Give the crops to a worker, as soon as one has room."""
        crops = np.stack(
            [warp_crop(each.pixels, ffhq_crop_matrix(each.points, self.size_px), self.size_px) for each in places]
        )
        while not self._pool.has_room:
            self._collect()
        key = _digest(crops, identity)
        while len(self._foreseen) >= 2 * BATCHES_AHEAD:  # what was foreseen in vain
            self._foreseen.pop(next(iter(self._foreseen)))
        self._foreseen[key] = None
        self._pool.give(key, "change_crops", crops, _vector(identity), isinstance(identity, BakedIdentity))

    def change_crops(
        self, crops: np.ndarray, identity: np.ndarray | BakedIdentity, with_masks: bool = False
    ) -> ChangedCrops:
        """`Swapper.change_crops`, by a worker where it was foreseen."""
        key = _digest(crops, identity)
        if with_masks or key not in self._foreseen:
            return self._swapper.change_crops(crops, identity, with_masks)
        while self._foreseen[key] is None:
            self._collect()
        made = self._foreseen.pop(key)
        if isinstance(made, BaseException):  # what is wrong is said where it is done here
            return self._swapper.change_crops(crops, identity)
        self.by_workers += 1
        return replace(made, before=to_float(crops))

    def _collect(self) -> None:
        for key, made in self._pool.wait():
            if key in self._foreseen:
                self._foreseen[key] = made


def _vector(identity: np.ndarray | BakedIdentity) -> np.ndarray:
    return identity.identity if isinstance(identity, BakedIdentity) else identity


def _digest(crops: np.ndarray, identity: np.ndarray | BakedIdentity) -> bytes:
    vector = _vector(identity)
    about = f"{crops.dtype} {crops.shape} {vector.shape} {isinstance(identity, BakedIdentity)}"
    return hashlib.blake2b(crops.tobytes() + vector.tobytes() + about.encode(), digest_size=16).digest()
