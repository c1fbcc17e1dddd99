"""Does an identity network order pairs of faces as its teacher does?"""

from __future__ import annotations

import numpy as np

from facechange.evaluation.intervals import Interval


def rank(values: np.ndarray) -> np.ndarray:
    """Ranks [N] of `values` [N] from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two [N] arrays, -1..1."""
    return float(np.corrcoef(rank(first), rank(second))[0, 1])


def spearman_cosines_all_pairs(student: np.ndarray, teacher: np.ndarray, seed: int = 0, resamples: int = 200) -> Interval:
    """Spearman correlation of two networks' cosines over every pair of different faces.

    `student` [N, D] and `teacher` [N, E] are L2-normalised vectors of the same N >= 3 faces. The interval resamples faces,
    not pairs: pairs that share a face are not independent.
    """
    student_cosines, teacher_cosines = student @ student.T, teacher @ teacher.T

    def correlate(faces: np.ndarray) -> float:
        rows, columns = np.triu_indices(len(faces), 1)
        rows, columns = faces[rows], faces[columns]
        different = rows != columns  # a face drawn twice is no pair
        rows, columns = rows[different], columns[different]
        return spearman(student_cosines[rows, columns], teacher_cosines[rows, columns])

    count = len(student)
    generator = np.random.default_rng(seed)
    draws = [correlate(faces) for faces in generator.integers(count, size=(resamples, count)) if len(np.unique(faces)) > 2]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(correlate(np.arange(count)), float(low), float(high), "correlation")
