"""A report as a table: the subject with its intervals, and beside it what to compare it with."""

from __future__ import annotations

from collections.abc import Mapping

from facechange.evaluation.intervals import Interval
from facechange.evaluation.report import Group, Report

HIGHER, LOWER, ONE = "↑", "↓", "→ 1"
BETTER = {  # by the start of a metric's name; a judge's may follow
    "recognised_as_source_pairs": HIGHER,
    "retrieval_top1_all_faces": HIGHER,
    "cosine_to_source_pairs": HIGHER,
    "cosine_to_target_pairs": LOWER,
    "pose_error_pnp68": LOWER,
    "pose_error_mesh468": LOWER,
    "gaze_error_iris": LOWER,
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
    "fid_inception": LOWER,
    "mouth_opening_error68": LOWER,
    "wrinkle_correlation_skin68": HIGHER,
    "natural_evenness68": LOWER,
    "teeth_colour_difference68": LOWER,
    "eye_white_colour_difference68": LOWER,
    "chroma_grey_crop": LOWER,
}
BY_GROUP = (  # starts of the names of the metrics that a table by group shows; reports have them all
    "retrieval_top1_all_faces",
    "reidentified_top1_all_faces",
    "pose_error_pnp68",
    "skin_brightness_difference68",
    "natural_evenness68",
)
LEAST_COUNT = 10  # of a group that can be the worst: fewer say little


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


def group_rows(groups: Mapping[str, Group], starts: tuple[str, ...] = BY_GROUP) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: a row a group with its count and those of its metrics whose names begin with one of `starts`."""
    names = shown_names(groups, starts)
    rows = []
    for title, group in groups.items():
        values = [group.metrics.get(name) for name in names]
        cells = ["" if value is None else f"{show(value.mean)} ({show(value.low)} to {show(value.high)})" for value in values]
        rows.append([title, str(group.count), *cells])
    return ["", "count", *(f"{name} {better(name)}".strip() for name in names)], rows


def worst_row(groups: Mapping[str, Group], starts: tuple[str, ...] = BY_GROUP) -> list[str]:
    """A row below `group_rows`: for each metric its worst value among the groups that are large enough, and whose it is."""
    large = {title: group.metrics for title, group in groups.items() if group.count >= LEAST_COUNT}
    names = shown_names(groups, starts)
    worst = [_find_worst({title: metrics[name].mean for title, metrics in large.items() if name in metrics}, name) for name in names]
    return [f"worst of {LEAST_COUNT} and more", "", *worst]


def shown_names(groups: Mapping[str, Group], starts: tuple[str, ...]) -> list[str]:
    """The metrics of `groups` whose names begin with one of `starts`, in their order."""
    names = dict.fromkeys(name for group in groups.values() for name in group.metrics)
    return sorted((name for name in names if name.startswith(starts)), key=lambda name: _start_index(name, starts))


def _start_index(name: str, starts: tuple[str, ...]) -> int:
    return next(index for index, start in enumerate(starts) if name.startswith(start))


def _find_worst(means: Mapping[str, float], metric: str) -> str:
    """The worst of the groups' `means`, and which group it is."""
    if not means:
        return ""
    title = min(means, key=lambda each: means[each] if better(metric) == HIGHER else -means[each])
    return f"{show(means[title])}: {title}"


def mask_rows(masks: Mapping[str, Mapping[str, Interval]]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: a row a resolution of the control masks, coarse to fine."""
    names = list(next(iter(masks.values())))
    rows = [
        [side, "of 1", *(f"{show(of[name].mean)} ({show(of[name].low)} to {show(of[name].high)})" for name in names)]
        for side, of in masks.items()
    ]
    return ["masks of", "unit", *names], rows


def markdown_table(headings: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; the first two columns are words, the others numbers."""
    rule = ["---", "---", *["---:"] * (len(headings) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows)) + "\n"


def markdown_report(report: Report, subject: str) -> str:
    """The report as Markdown: the table, those of the groups and masks where there are some, and the protocol in a line."""
    parts = [markdown_table(*table_rows(report, f"**{subject}**"))]
    if report.groups:
        headings, rows = group_rows(report.groups)
        parts.append(markdown_table(headings, [*rows, worst_row(report.groups)]))
    if report.masks:
        parts.append(markdown_table(*mask_rows(report.masks)))
    protocol = ", ".join(f"{name} {value}" for name, value in report.protocol.items())
    return "\n".join([*parts, f"{protocol}. Intervals are 95 % intervals."]) + "\n"


def show(value: float) -> str:
    """Three digits that matter, without an exponent."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
