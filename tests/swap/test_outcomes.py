"""What is said of faces: a line, a line a face, a table."""

import json
from pathlib import Path

import numpy as np

from facechange.core import Face, Outcome
from facechange.swap.outcomes import describe, is_all_changed, summarise, tabulate_all, write_report

FACE = Face((100, 50, 40, 60), np.zeros((5, 2), np.float32), 0.9)
CHANGED = Outcome(FACE, cosines_to_original=(0.2, 0.1), cosine_to_source=0.05, recognisable=False)
COVERED = Outcome(FACE, "blur", "still like the original", (0.1, 0.05))
LEFT = Outcome(FACE, "left", "still like the original", (0.9, 0.8), like_original=True)


def test_the_line_counts_what_was_done() -> None:
    assert summarise([CHANGED], hides=True) == "1 face changed"
    assert summarise([CHANGED, COVERED, LEFT], hides=True) == "1 of 3 faces changed, 1 covered, 1 left"
    assert summarise([CHANGED], hides=False) == "1 face changed, but not recognisably"
    assert summarise([CHANGED, Outcome(FACE)], hides=False) == "2 faces changed, 1 of them not recognisably"


def test_a_face_is_described_by_where_it_is_and_why() -> None:
    assert describe(COVERED, hides=True) == "at 120, 80 (60 px): covered by a blur: still like the original"
    assert describe(CHANGED, hides=False) == "at 120, 80 (60 px): changed, but not recognisably"
    assert [is_all_changed(outcomes) for outcomes in ([CHANGED], [CHANGED, COVERED], [LEFT])] == [True, False, False]


def test_the_report_is_json_without_anything_biometric(tmp_path: Path) -> None:
    write_report(tmp_path / "report.json", tabulate_all([CHANGED, COVERED, LEFT], hides=True))
    table = json.loads((tmp_path / "report.json").read_text())
    assert table["counts"] == {"changed": 1, "covered": 1, "left": 1}
    assert [face["done"] for face in table["faces"]] == ["changed", "blur", "left"]
    assert table["faces"][0]["cosines_to_original"] == [0.2, 0.1] and "cosine_to_source" not in table["faces"][0]
