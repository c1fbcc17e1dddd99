"""Which of the changed pairs to look at: the first ones, and those that the evaluator finds best and worst."""

from __future__ import annotations

import heapq

import numpy as np

from facechange.evaluation.change_meter import Case
from facechange.evaluation.comparison_grid import Sheet, draw_comparison_grid
from facechange.evaluation.paste_source import paste_source


class ShownCases:
    """Collects pairs as they are measured, never more than it will show."""

    def __init__(self, first: int, extreme: int, made: bool = False) -> None:
        """Keep the first `first` pairs, and `extreme` each of those nearest to and farthest from their sources.

        With `made` sources and targets are faces that a model changed before.
        """
        self._made = made
        self._first_count, self._extreme_count = first, extreme
        self.first: list[Case] = []
        self._best: list[tuple[float, int, Case]] = []
        self._worst: list[tuple[float, int, Case]] = []

    def __call__(self, case: Case) -> None:
        """Look at one pair."""
        if case.number < self._first_count:
            self.first.append(case)
        for kept, rank in ((self._best, case.cosine), (self._worst, -case.cosine)):
            heapq.heappush(kept, (rank, -case.number, case))
            if len(kept) > self._extreme_count:
                heapq.heappop(kept)

    @property
    def best(self) -> list[Case]:
        """The pairs with the highest cosine to their source, highest first."""
        return [case for *_, case in sorted(self._best, reverse=True)]

    @property
    def worst(self) -> list[Case]:
        """The pairs with the lowest cosine to their source, lowest first."""
        return [case for *_, case in sorted(self._worst, reverse=True)]

    def draw_beside_paste(self) -> Sheet:
        """The first pairs as a sheet with the classical paste beside the result (Fig. 7 of the patent)."""
        crops = [
            (case.source.crop, case.target.crop, paste_source(case.source, case.target), case.changed)
            for case in self.first
        ]
        points = [(*self.changed_points(case), case.target.landmarks5) for case in self.first]
        return draw_comparison_grid(crops, words=("source", "target", "source pasted", "result"), points=points)

    def changed_points(self, case: Case) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
        """The five points [5, 2] of source, target and result in their crops, where these are changed faces."""
        source, target = (face.landmarks5 if self._made else None for face in (case.source, case.target))
        return source, target, case.target.landmarks5

    def draw_extremes(self) -> Sheet:
        """A sheet whose left column is the best and whose right one the worst, with the evaluator's cosines below."""
        cases = [case for pair in zip(self.best, self.worst, strict=True) for case in pair]
        captions = [
            f"{word}: cosine to the source {case.cosine:.2f}"
            for case, word in zip(cases, ("best", "worst") * len(cases), strict=False)
        ]
        crops = [(case.source.crop, case.target.crop, case.changed) for case in cases]
        return draw_comparison_grid(crops, captions=captions, points=[self.changed_points(case) for case in cases])
