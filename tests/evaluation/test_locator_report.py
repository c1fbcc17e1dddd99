"""The locator's report: shares of what `locator_recall` counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from facechange.evaluation.locator_report import evaluate_locator


def test_report_of_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"faces": 240, "recall": 0.95, "face_free_pictures": 300, "face_free_pictures_claimed": 3, "face_free_rate": 0.01}
    calls = []

    def count(*arguments: object) -> dict[str, object]:
        calls.append(arguments)
        return measured | {"mean_iou": 0.8}

    monkeypatch.setattr("facechange.evaluation.locator_report.evaluate_locator_recall_iou50", count)
    report = evaluate_locator(lambda picture: [], Path("faces"), Path("backgrounds.tar"), "val", 7)
    assert calls[0][1:] == (Path("faces"), Path("backgrounds.tar"), "val", 7)
    assert report.metrics["recall_iou50"].mean == pytest.approx(95)
    assert report.metrics["recall_iou50"].low < 95 < report.metrics["recall_iou50"].high
    assert report.metrics["face_free_pictures_claimed"].mean == pytest.approx(1)
    assert report.details == {"mean_iou": 0.8}
