"""A report as a table: the subject with its intervals, and beside it what to compare it with."""

from __future__ import annotations

from collections.abc import Mapping

from facechange.evaluation.intervals import Interval
from facechange.evaluation.report import Report

HIGHER, LOWER, ONE = "↑", "↓", "→ 1"
BETTER = {  # by the start of a metric's name; a judge's may follow
    "recognised_as_source_pairs": HIGHER,
    "retrieval_top1_all_faces": HIGHER,
    "cosine_to_source_pairs": HIGHER,
    "cosine_to_target_pairs": LOWER,
    "pose_error_pnp68": LOWER,
    "expression_error_openings68": LOWER,
    "psnr_self_crop": HIGHER,
    "ssim_self_crop": HIGHER,
    "psnr_outside_hull68": HIGHER,
    "ssim_outside_hull68": HIGHER,
    "skin_brightness_difference68": LOWER,
    "skin_colour_difference68": LOWER,
    "sharpness_ratio_hull68": ONE,
    "psnr_occluder": HIGHER,
    "reidentified_top1_all_faces": LOWER,
    "cosine_to_original_all_faces": LOWER,
    "spearman_cosines_all_pairs": HIGHER,
    "cosine_different_faces_p99": LOWER,
    "recall_iou50": HIGHER,
    "face_free_pictures_claimed": LOWER,
    "frechet_distance": LOWER,
    "found_crop": HIGHER,
}


def better(metric: str) -> str:
    """Which way `metric` is good: up, down or towards 1."""
    return next((way for start, way in BETTER.items() if metric.startswith(start)), "")


def table_rows(report: Report, subject: str) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: metric, unit, the subject's value and interval, then a column a reference row."""
    headings = ["metric", "unit", subject, "95 % interval", *report.references]
    rows = []
    for name, value in report.metrics.items():
        interval = f"{show(value.low)} to {show(value.high)}"
        others = [show(metrics[name].mean) if name in metrics else "" for metrics in report.references.values()]
        rows.append([f"{name} {better(name)}".strip(), value.unit, show(value.mean), interval, *others])
    return headings, rows


def group_rows(groups: Mapping[str, Mapping[str, Interval]]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: metric, unit, then value and interval of each group."""
    names = list(dict.fromkeys(name for metrics in groups.values() for name in metrics))
    rows = []
    for name in names:
        values = [metrics.get(name) for metrics in groups.values()]
        unit = next(value.unit for value in values if value is not None)
        cells = ["" if value is None else f"{show(value.mean)} ({show(value.low)} to {show(value.high)})" for value in values]
        rows.append([f"{name} {better(name)}".strip(), unit, *cells])
    return ["metric", "unit", *groups], rows


def markdown_table(headings: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; the first two columns are words, the others numbers."""
    rule = ["---", "---", *["---:"] * (len(headings) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows)) + "\n"


def markdown_report(report: Report, subject: str) -> str:
    """The report as Markdown: the table, that of the groups where there are some, and the protocol in a line."""
    parts = [markdown_table(*table_rows(report, f"**{subject}**"))]
    if report.groups:
        parts.append(markdown_table(*group_rows(report.groups)))
    protocol = ", ".join(f"{name} {value}" for name, value in report.protocol.items())
    return "\n".join([*parts, f"{protocol}. Intervals are 95 % intervals."]) + "\n"


def show(value: float) -> str:
    """Three digits that matter, without an exponent."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
