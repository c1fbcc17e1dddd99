"""Whom a face shows to an evaluator: moved to the source, hidden from whoever knows the original, ordered as a
recognizer does.

Vectors are L2-normalised, what one evaluator made of faces: [N, D].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facechange.core import Outcome
from facechange.metrics.intervals import Interval
from facechange.metrics.metric import EVALUATOR, HIGHER, LOWER, NEITHER, Metric, metric


@metric(
    "%",
    HIGHER,
    "share of pairs whose changed face has the source as the nearest of all faces of the split, the target among them",
    EVALUATOR,
)
def retrieval_top1_all_faces(changed: np.ndarray, gallery: np.ndarray, source_rows: np.ndarray) -> np.ndarray:
    """ID retrieval (Table 1 of the patent): for each changed face 100 where its source is the nearest of the `gallery`,
    else 0: [N].

    `source_rows` [N] are rows of the gallery [G, D]. The targets are in the gallery too, so a change that leaves the
    target recognisable fails.
    """
    return 100.0 * (np.argmax(changed @ gallery.T, axis=1) == source_rows)


@metric(
    "%",
    HIGHER,
    "share of pairs whose changed face is nearer, by the evaluator's cosine, to the source than to the target",
    EVALUATOR,
)
def recognised_as_source_pairs(changed: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """For each pair 100 where the changed face is nearer to its source than to its target, else 0: [N]; all three are
    [N, D]."""
    return 100.0 * (pair_cosines(changed, sources) > pair_cosines(changed, targets))


def pair_cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine [N] of each pair of rows of two arrays of vectors [N, D]."""
    return np.einsum("nd,nd->n", first, second)


cosine_to_source_pairs = Metric(
    "cosine_to_source_pairs",
    "cosine",
    HIGHER,
    "pairs; the evaluator's cosine of the changed face to the source",
    pair_cosines,
    EVALUATOR,
)
cosine_to_target_pairs = Metric(
    "cosine_to_target_pairs",
    "cosine",
    LOWER,
    "pairs; the evaluator's cosine of the changed face to the target",
    pair_cosines,
    EVALUATOR,
)


@metric(
    "distance²",
    LOWER,
    "Fréchet distance of the changed faces to all faces of the split in the evaluator's features; for rows of one table only, and no FID",
    EVALUATOR,
)
def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Fréchet distance of the normal distributions fitted to features [N, D] and [M, D], N and M >= 2.

    The formula is FID's (Heusel et al. 2017), which is this over the pooled features of Inception and is called so only
    then.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    first_mean, second_mean = first.mean(0), second.mean(0)
    # The trace of (S1 S2)^(1/2), with S1 = A'A and S2 = B'B, is the sum of the singular values of A B'; A and B at most
    # D x D by QR.
    first_spread, second_spread = (np.linalg.qr(x - x.mean(0), mode="r") / np.sqrt(len(x) - 1) for x in (first, second))
    overlap = np.linalg.svd(first_spread @ second_spread.T, compute_uv=False).sum()
    spread = (first_spread**2).sum() + (second_spread**2).sum() - 2 * overlap
    return float(((first_mean - second_mean) ** 2).sum() + max(spread, 0.0))


def frechet_distance_interval(changed: np.ndarray, real: np.ndarray, seed: int = 0, resamples: int = 100) -> Interval:
    """`frechet_distance` of changed faces [N, D] to real ones [M, D], with a 95 % interval.

    The distance of small samples is too large, and that of resampled ones more so: compare values of equal N and M
    only. The interval is the spread of bootstrap draws over the changed faces, laid around the value.
    """
    value = frechet_distance(changed, real)
    rows = np.random.default_rng(seed).integers(len(changed), size=(resamples, len(changed)))
    draws = np.array([frechet_distance(changed[row], real) for row in rows])
    low, high = np.percentile(draws - draws.mean(), [2.5, 97.5])
    return Interval(value, max(0.0, value + float(low)), value + float(high), frechet_distance.unit)


@metric(
    "%",
    LOWER,
    "each face anonymised; share whose nearest of all originals, by the evaluator's cosine, is still their own",
    EVALUATOR,
)
def reidentified_top1_all_faces(changed: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """For each anonymised face 100 where its own original is the nearest of all, else 0: [N]; one in N by chance.

    Both are vectors [N, D] of the same faces in the same order.
    """
    return retrieval_top1_all_faces(changed, originals, np.arange(len(originals)))


@metric("cosine", LOWER, "each face anonymised; the evaluator's cosine to its own original", EVALUATOR)
def cosine_to_original_all_faces(changed: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """Cosine of each anonymised face to its own original: [N].

    As low as `cosine_to_others_all_faces`, it says that the original is no more alike than a stranger.
    """
    return np.diagonal(changed @ originals.T).copy()


@metric(
    "cosine", NEITHER, "each face anonymised; the evaluator's mean cosine to the originals of all others", EVALUATOR
)
def cosine_to_others_all_faces(changed: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """Mean cosine of each anonymised face to the originals of all others: [N], N >= 2."""
    cosines = changed @ originals.T
    return (cosines.sum(axis=1) - np.diagonal(cosines)) / (len(originals) - 1)


Outcomes = Sequence[Outcome | None]  # of each labelled face; None where it was not found


@metric(
    "%",
    LOWER,
    "whole photographs anonymised; share of labelled faces that are said to be changed or covered and are still the nearest to "
    "themselves by the evaluator",
)
def false_reports_all_faces(changed: np.ndarray, originals: np.ndarray, outcomes: Outcomes) -> np.ndarray:
    """For each face 100 where what is said of it is false, else 0: [N]. One that was missed, or is said to be left, is
    no report."""
    reported = np.array([outcome is not None and outcome.done != "left" for outcome in outcomes])
    return reidentified_top1_all_faces(changed, originals) * reported


@metric("%", LOWER, "whole photographs anonymised; share of labelled faces that were not found")
def missed_all_faces(outcomes: Outcomes) -> np.ndarray:
    """For each face 100 where it was not found, else 0: [N]."""
    return 100.0 * np.array([outcome is None for outcome in outcomes])


@metric(
    "%",
    NEITHER,
    "whole photographs anonymised; share of labelled faces that were covered, as no change made them unlike",
)
def covered_all_faces(outcomes: Outcomes) -> np.ndarray:
    """For each face 100 where it was covered, else 0: [N]."""
    return 100.0 * np.array([outcome is not None and outcome.is_covered for outcome in outcomes])


@metric("%", LOWER, "whole photographs anonymised; share of labelled faces that were left as they were, and said to be")
def left_all_faces(outcomes: Outcomes) -> np.ndarray:
    """For each face 100 where it was left as it was, else 0: [N]."""
    return 100.0 * np.array([outcome is not None and outcome.done == "left" for outcome in outcomes])


def rank(values: np.ndarray) -> np.ndarray:
    """Ranks [N] of `values` [N] from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two [N] arrays, -1..1."""
    return float(np.corrcoef(rank(first), rank(second))[0, 1])


@metric(
    "correlation",
    HIGHER,
    "rank correlation of the identity network's cosines with its recognizer's over all pairs of different faces",
)
def spearman_cosines_all_pairs(
    student: np.ndarray, recognizer: np.ndarray, seed: int = 0, resamples: int = 200
) -> Interval:
    """Spearman correlation of two networks' cosines, `student` [N, D] and `recognizer` [N, E] of the same N >= 3 faces.

    The interval resamples faces, not pairs: pairs that share a face are not independent.
    """
    student_cosines, recognizer_cosines = student @ student.T, recognizer @ recognizer.T

    def correlate(faces: np.ndarray) -> float:
        pairs = _different_pairs(faces)
        return spearman(student_cosines[pairs], recognizer_cosines[pairs])

    count = len(student)
    generator = np.random.default_rng(seed)
    draws = [
        correlate(faces) for faces in generator.integers(count, size=(resamples, count)) if len(np.unique(faces)) > 2
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(correlate(np.arange(count)), float(low), float(high), spearman_cosines_all_pairs.unit)


@metric("cosine", LOWER, "the cosine that one pair of different faces in a hundred exceeds, by the identity network")
def cosine_different_faces_p99(vectors: np.ndarray, seed: int = 0, resamples: int = 200) -> Interval:
    """How alike the network finds different people at most, by its `vectors` [N, D] of N >= 3 faces.

    Whoever looks for one person among others takes it as the least cosine to accept. The interval resamples faces.
    """
    cosines = vectors @ vectors.T

    def measure(faces: np.ndarray) -> float:
        return float(np.percentile(cosines[_different_pairs(faces)], 99))

    draws = [
        measure(faces) for faces in np.random.default_rng(seed).integers(len(vectors), size=(resamples, len(vectors)))
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(measure(np.arange(len(vectors))), float(low), float(high), cosine_different_faces_p99.unit)


def _different_pairs(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of all pairs of `faces` [N]; a face drawn twice is no pair."""
    rows, columns = (faces[index] for index in np.triu_indices(len(faces), 1))
    return rows[rows != columns], columns[rows != columns]


IDENTITY = (
    retrieval_top1_all_faces,
    recognised_as_source_pairs,
    cosine_to_source_pairs,
    cosine_to_target_pairs,
    frechet_distance,
    reidentified_top1_all_faces,
    cosine_to_original_all_faces,
    cosine_to_others_all_faces,
    false_reports_all_faces,
    missed_all_faces,
    covered_all_faces,
    left_all_faces,
    spearman_cosines_all_pairs,
    cosine_different_faces_p99,
)
