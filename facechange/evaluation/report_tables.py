"""A report as a table: the subject with its intervals, and beside it what to compare it with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from facechange.evaluation.report import Group, Report
from facechange.metrics import CATALOGUE, Interval, Metric, find_metric
from facechange.metrics.fidelity import natural_evenness68, skin_brightness_difference68
from facechange.metrics.identity import reidentified_top1_all_faces, retrieval_top1_all_faces
from facechange.metrics.metric import HIGHER
from facechange.metrics.pose import pose_error_pnp68

Shown = tuple[Metric[..., Any], ...]

BY_GROUP: Shown = (  # what a table by group shows; reports have them all
    retrieval_top1_all_faces,
    reidentified_top1_all_faces,
    pose_error_pnp68,
    skin_brightness_difference68,
    natural_evenness68,
)
LEAST_COUNT = 10  # of a group that can be the worst: fewer say little


def heading(name: str) -> str:
    """What a report calls a metric, and which way it is better."""
    metric = find_metric(name)
    return name if metric is None else f"{name} {metric.better}".strip()


def table_rows(report: Report, subject: str) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: metric, unit, the subject's value and interval, then a column a reference row."""
    headings = ["metric", "unit", subject, "95 % interval", *report.references]
    rows = []
    for name, value in report.metrics.items():
        interval = f"{show(value.low)} to {show(value.high)}"
        others = [show(metrics[name].mean) if name in metrics else "" for metrics in report.references.values()]
        rows.append([heading(name), value.unit, show(value.mean), interval, *others])
    return headings, rows


def group_rows(groups: Mapping[str, Group], shown: Shown = BY_GROUP) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: a row a group with its count and what is `shown` of its metrics."""
    names = shown_names(_names(groups), shown)
    rows = []
    for title, group in groups.items():
        values = [group.metrics.get(name) for name in names]
        cells = ["" if value is None else show_interval(value) for value in values]
        rows.append([title, str(group.count), *cells])
    return ["", "count", *map(heading, names)], rows


def worst_row(groups: Mapping[str, Group], shown: Shown = BY_GROUP) -> list[str]:
    """A row below `group_rows`: for each metric its worst value among the groups that are large enough, and whose it
    is."""
    large = {title: group.metrics for title, group in groups.items() if group.count >= LEAST_COUNT}
    names = shown_names(_names(groups), shown)
    worst = [
        _find_worst({title: metrics[name].mean for title, metrics in large.items() if name in metrics}, name)
        for name in names
    ]
    return [f"worst of {LEAST_COUNT} and more", "", *worst]


def shown_names(names: Iterable[str], shown: Shown) -> list[str]:
    """Those of a report's `names` that are of the metrics `shown`, in the order of these, whoever saw them."""
    return [name for metric in shown for name in dict.fromkeys(names) if metric.is_called(name)]


def _names(groups: Mapping[str, Group]) -> list[str]:
    return [name for group in groups.values() for name in group.metrics]


def _find_worst(means: Mapping[str, float], name: str) -> str:
    """The worst of the groups' `means`, and which group it is."""
    if not means:
        return ""
    known = find_metric(name)
    title = min(means, key=lambda each: means[each] if known is not None and known.better == HIGHER else -means[each])
    return f"{show(means[title])}: {title}"


def mask_rows(masks: Mapping[str, Mapping[str, Interval]]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of text: a row a resolution of the control masks, coarse to fine."""
    names = list(next(iter(masks.values())))
    rows = [
        [side, next(iter(of.values())).unit, *(show_interval(of[name]) for name in names)] for side, of in masks.items()
    ]
    return ["masks of", "unit", *map(heading, names)], rows


def markdown_table(headings: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; the first two columns are words, the others numbers."""
    rule = ["---", "---", *["---:"] * (len(headings) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows)) + "\n"


def markdown_report(report: Report, subject: str) -> str:
    """The report as Markdown: the table, those of the groups and masks where there are some, and the protocol in a
    line."""
    parts = [markdown_table(*table_rows(report, f"**{subject}**"))]
    if report.groups:
        headings, rows = group_rows(report.groups)
        parts.append(markdown_table(headings, [*rows, worst_row(report.groups)]))
    if report.masks:
        parts.append(markdown_table(*mask_rows(report.masks)))
    protocol = ", ".join(f"{name} {value}" for name, value in report.protocol.items())
    return "\n".join([*parts, f"{protocol}. Intervals are 95 % intervals."]) + "\n"


def show_interval(value: Interval) -> str:
    """A value with its interval."""
    return f"{show(value.mean)} ({show(value.low)} to {show(value.high)})"


def show(value: float) -> str:
    """Three digits that matter, without an exponent."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def catalogue_table() -> str:
    """Every metric with its unit and protocol in Markdown: the table of docs/map.md."""
    rows = []
    for metric in CATALOGUE:
        name = f"{metric.name}_{metric.seen_by}" if metric.seen_by else metric.name
        rows.append([f"`{name}` {metric.better}".strip(), metric.unit, metric.protocol])
    return markdown_table(["metric", "unit", "protocol"], rows).replace("---:", "---")
