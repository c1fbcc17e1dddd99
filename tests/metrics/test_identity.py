"""Every metric against a value worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facechange.evaluation.pairs import draw_pairs
from facechange.metrics.fidelity import CEILING_DB, psnr_crop, psnr_outside_hull68
from facechange.metrics.identity import (
    pair_cosines,
    rank,
    recognised_as_source_pairs,
    retrieval_top1_all_faces,
    spearman,
    spearman_cosines_all_pairs,
)
from facechange.metrics.intervals import bootstrap_mean, wilson_percent


def test_psnr_of_a_known_error() -> None:
    target = np.full((8, 8, 3), 100, np.uint8)
    changed = target.copy()
    changed[:4] = 110  # half of the pixels off by 10: mean square 50
    assert psnr_crop(changed, target) == pytest.approx(10 * np.log10(255**2 / 50))
    assert psnr_crop(changed, target) == psnr_crop(target, changed)  # no wrap-around of uint8


def test_psnr_counts_only_where_asked() -> None:
    target = np.zeros((8, 8, 3), np.uint8)
    changed = target.copy()
    changed[:4] = 200
    where = np.zeros((8, 8), np.uint8)
    where[4:] = 1
    assert psnr_crop(changed, target, where) == CEILING_DB
    where[3] = 1
    assert psnr_crop(changed, target, where) < 20


def test_psnr_outside_the_hull_ignores_the_face() -> None:
    target = np.full((64, 64, 3), 90, np.uint8)
    landmarks = np.array([[20, 20], [44, 20], [44, 44], [20, 44]], np.float64)
    inside, outside = target.copy(), target.copy()
    inside[20:45, 20:45] = 255
    outside[:10] = 255
    assert psnr_outside_hull68(inside, target, landmarks) == CEILING_DB
    assert psnr_outside_hull68(outside, target, landmarks) < 15


def test_recognised_as_source() -> None:
    sources, targets = np.array([[1.0, 0.0]] * 3), np.array([[0.0, 1.0]] * 3)
    # nearer to the source, to the target, neither
    changed = np.array([[0.8, 0.6], [0.6, 0.8], [np.sqrt(0.5), np.sqrt(0.5)]])
    assert recognised_as_source_pairs(changed, sources, targets).tolist() == [100, 0, 0]
    assert pair_cosines(changed, sources) == pytest.approx([0.8, 0.6, np.sqrt(0.5)])


def test_retrieval_looks_through_the_whole_gallery() -> None:
    gallery = np.eye(3)
    changed = np.array([[0.9, 0.1, 0.0], [0.1, 0.2, 0.9]])
    assert retrieval_top1_all_faces(changed, gallery, np.array([0, 1])).tolist() == [100, 0]


def test_ranks_share_their_mean_where_values_are_equal() -> None:
    assert rank(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0, 2.5, 1]


def test_spearman_by_hand() -> None:
    # Ranks 0 1 2 3 4 against 1 0 2 4 3: squared differences sum to 4, so 1 - 6 * 4 / (5 * 24) = 0.8.
    assert spearman(np.array([1, 2, 3, 4, 5.0]), np.array([20, 10, 30, 900, 40.0])) == pytest.approx(0.8)
    assert spearman(np.arange(5.0), np.exp(-np.arange(5.0))) == pytest.approx(-1)


def test_spearman_of_cosines_ignores_scale_of_distances_but_not_order() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rotated = vectors @ np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0]
    same = spearman_cosines_all_pairs(rotated, vectors)
    assert same.mean == pytest.approx(1, abs=1e-6)
    noisy = vectors + np.random.default_rng(2).normal(size=vectors.shape) * 0.3
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    between = spearman_cosines_all_pairs(noisy, vectors)
    assert between.low < between.mean < between.high < 1


def test_bootstrap_interval_of_a_fair_coin() -> None:
    values = np.tile([0.0, 1.0], 200)
    interval = bootstrap_mean(values, "%", seed=3)
    assert interval.mean == 0.5
    half_width = 1.96 * np.sqrt(0.25 / 400)  # of the normal approximation
    assert interval.low == pytest.approx(0.5 - half_width, abs=0.01)
    assert interval.high == pytest.approx(0.5 + half_width, abs=0.01)
    assert interval == bootstrap_mean(values, "%", seed=3)


def test_wilson_interval_by_hand() -> None:
    # 8 of 10, z = 1.96: centre 0.71674, reach 0.22658.
    interval = wilson_percent(8, 10)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((80, 49.016, 94.332), abs=0.01)
    assert wilson_percent(0, 100).low == 0
    assert 3 < wilson_percent(0, 100).high < 4


@pytest.mark.parametrize(("faces", "pairs"), [(5, 20), (240, 240), (7, 3), (7, 20)])
def test_pairs_are_of_different_faces_and_never_repeat(faces: int, pairs: int) -> None:
    rows = draw_pairs(faces, pairs, seed=1)
    assert rows.shape == (pairs, 2)
    assert (rows[:, 0] != rows[:, 1]).all()
    assert len({tuple(row) for row in rows}) == pairs
    assert rows.min() >= 0
    assert rows.max() < faces
    assert (rows == draw_pairs(faces, pairs, seed=1)).all()


def test_a_full_round_uses_every_face_once_on_each_side() -> None:
    rows = draw_pairs(9, 9, seed=4)
    assert sorted(rows[:, 0]) == sorted(rows[:, 1]) == list(range(9))
