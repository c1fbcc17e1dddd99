"""What is said of a metric anywhere is what its object says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facechange.evaluation import Report
from facechange.evaluation.report import summarise
from facechange.evaluation.report_tables import catalogue_table, heading, shown_names
from facechange.metrics import CATALOGUE, Metric, find_metric
from facechange.metrics.identity import reidentified_top1_all_faces, retrieval_top1_all_faces
from facechange.metrics.metric import HIGHER, LOWER, NEITHER, ONE

DOCUMENTS = Path(__file__).parents[2] / "docs"
# of another shape
REPORTS = sorted(path for path in (DOCUMENTS / "results").glob("*.json") if path.name != "ablations.json")


def test_each_metric_is_stated_once_and_whole() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(set(names)) == len(names) > 40
    for metric in CATALOGUE:
        assert metric.unit and metric.protocol and metric.better in (HIGHER, LOWER, ONE, NEITHER), metric.name
        assert [each.name for each in CATALOGUE if each.is_called(metric.name)] == [metric.name]
        assert [each.name for each in CATALOGUE if each.is_called(metric.by("dlib"))] == [metric.name] * bool(
            metric.seen_by
        )


def test_every_metric_is_in_the_catalogue() -> None:
    import facechange.metrics.catalogue as catalogue
    from facechange.metrics import detection, expression, fidelity, identity, masks, pose, temporal

    modules = (detection, expression, fidelity, identity, masks, pose, temporal)
    stated = {value.name for module in modules for value in vars(module).values() if isinstance(value, Metric)}
    assert stated == {metric.name for metric in catalogue.CATALOGUE}


def test_the_map_lists_the_metrics_as_they_are() -> None:
    assert catalogue_table() in (DOCUMENTS / "map.md").read_text(encoding="utf-8"), (
        f"docs/map.md should have:\n{catalogue_table()}"
    )


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name)
def test_reports_that_lie_in_the_documents_are_of_these_metrics(path: Path) -> None:
    report = Report.load(path)
    tables = [
        report.metrics,
        *report.references.values(),
        *report.masks.values(),
        *(group.metrics for group in report.groups.values()),
    ]
    for name, value in ((name, value) for table in tables for name, value in table.items()):
        metric = find_metric(name)
        assert metric is not None and metric.unit == value.unit, name
    assert set(report.metrics) == set(shown_names(report.metrics, CATALOGUE))


def test_headings_and_units_come_from_the_metric() -> None:
    assert heading("retrieval_top1_all_faces_dlib") == "retrieval_top1_all_faces_dlib ↑"
    assert heading("sharpness_ratio_hull68") == "sharpness_ratio_hull68 → 1"
    assert heading("covered_all_faces") == "covered_all_faces" and heading("of_long_ago") == "of_long_ago"
    assert find_metric("deviation_dlib") is None  # no evaluator sees it
    values = {
        retrieval_top1_all_faces.by("dlib"): np.array([100.0, 0, np.nan]),
        reidentified_top1_all_faces.by("dlib"): np.zeros(100),
    }
    means, shares = summarise(values, 0), summarise(values, 0, shares_of_faces=True)
    assert [value.unit for value in means.values()] == ["%", "%"]
    assert [value.mean for value in means.values()] == [value.mean for value in shares.values()] == [50, 0]
    # none of a hundred is not none
    assert [value.high for value in means.values()][1] == 0 < [value.high for value in shares.values()][1]
