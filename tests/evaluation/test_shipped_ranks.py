"""The shipped model among its reference rows, on pictures that it drew itself: they must rank as they should."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from facechange.evaluation import (
    LabelledFaces,
    OnnxEvaluator,
    Report,
    change_with,
    evaluate_change,
    identify_with,
    load_references,
)
from facechange.faces.geometry import estimate_similarity, transform_points
from facechange.faces.mean_face68 import read_mean_face
from facechange.images import read_picture
from facechange.runtime import graph_path, load_graph
from facechange.swap import load_detector

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("faces")
    detector = load_detector()
    face = read_mean_face()[0][:, :2]
    five = np.stack([face[36:42].mean(0), face[42:48].mean(0), face[30], face[48], face[54]])
    lines = []
    with tarfile.open(folder / "val.tar", "w") as archive:
        for name in ("source.jpg", "target.jpg"):
            archive.add(EXAMPLES / name, name)
            points = detector.detect(read_picture(EXAMPLES / name).rgb8())[0].points
            landmarks = transform_points(face, estimate_similarity(five, points))
            lines.append(
                {"image": name, "shard": "val.tar", "landmarks5": points.tolist(), "landmarks68": landmarks.tolist()}
            )
    (folder / "val.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    graph, evaluator = load_graph("facechange-256"), OnnxEvaluator(graph_path("identity"), "symmetric")
    references = load_references("facechange-256", folder)
    size = graph.card.size_px
    identify = identify_with(load_graph("identity"))
    return evaluate_change(
        change_with(graph), identify, size, LabelledFaces(folder), [evaluator], 2, references=references
    )


def rank(report: Report, metric: str) -> list[str]:
    """The rows, the highest first; "model" is the shipped one."""
    rows = {"model": report.metrics, **report.references}
    return sorted(rows, key=lambda name: -rows[name][metric].mean)


def test_identity_moves_with_the_model_most(report: Report) -> None:
    assert rank(report, "cosine_to_source_pairs_identity")[0] == "model"
    assert rank(report, "cosine_to_target_pairs_identity")[0] == "target unchanged"
    assert report.metrics["recognised_as_source_pairs_identity"].mean == 100
    assert report.references["target unchanged"]["recognised_as_source_pairs_identity"].mean == 0


@pytest.mark.parametrize("metric", ["psnr_self_crop", "ssim_self_crop", "psnr_outside_hull68", "ssim_outside_hull68"])
def test_what_is_kept_needs_the_masks(report: Report, metric: str) -> None:
    order = rank(report, metric)
    assert set(order[:2]) == {"target unchanged", "source pasted"}  # they leave the background as it is
    assert order[2] == "model"
    assert report.metrics[metric].mean > 1.1 * max(
        report.references[name][metric].mean for name in ("masks 0", "masks 1")
    )


def test_what_covers_the_face_is_kept_better_than_by_pasting(report: Report) -> None:
    assert rank(report, "psnr_occluder")[:2] == ["target unchanged", "model"]


def test_detail_and_light_stay_near_the_target_s(report: Report) -> None:
    for name in ("masks 0", "masks 1"):
        forced = report.references[name]
        assert abs(np.log(report.metrics["sharpness_ratio_hull68"].mean)) < abs(
            np.log(max(forced["sharpness_ratio_hull68"].mean, 1e-6))
        )
        assert report.metrics["skin_brightness_difference68"].mean < forced["skin_brightness_difference68"].mean / 3
