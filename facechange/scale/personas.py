"""Personas that were decided in one place and in order, for work that is done in many and in any order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from facechange.consent.record import Digests
from facechange.swap.assignment import PersonaAssignment

Met = tuple[np.ndarray, np.ndarray]  # who somebody is and who they become: [512] each


@cache
def _sampler(seed: int) -> PersonaAssignment:
    return PersonaAssignment(seed)


class DecidedPersonas:
    """Gives each of the people of one photograph the persona that was decided for them; what does not depend on others
    is decided here."""

    hides = True
    everyone = None
    recognised: np.ndarray | None = None

    def __init__(self, seed: int, met: Sequence[Met]) -> None:
        self._seed, self._met = seed, met
        self.sources: Sequence[Path] = ()

    def identity_for(self, original: np.ndarray | None, rule: int = 0) -> np.ndarray:
        """The persona [512] of the one who is most like `original` [512]: another processor may round otherwise."""
        assert original is not None
        return max(self._met, key=lambda met: float(met[0] @ original))[1]

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """`PersonaAssignment.another_for`, which knows nobody else."""
        return _sampler(self._seed).another_for(original, tried)

    def describe(self, digests: Digests) -> dict[str, Any]:
        """The seed and the sampler."""
        return _sampler(self._seed).describe(digests)

    def state(self) -> list[list[float]]:
        """Nothing: the order is kept elsewhere."""
        return []

    def restore(self, state: list[list[float]]) -> None:
        """Nothing to go on from."""
