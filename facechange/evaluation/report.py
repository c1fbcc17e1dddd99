"""What a measurement hands back: its protocol in words, and named values with their intervals."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facechange.core import load_card
from facechange.core.errors import OutputError
from facechange.core.stored import build, read_json
from facechange.metrics import Interval, bootstrap_mean, find_metric, wilson_percent

DECIMALS = 5  # in files


class Named(Protocol):
    """An evaluator, of which a report says the name."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...


def name_evaluators(evaluators: Sequence[Named]) -> str:
    """The evaluators in words, the headline first."""
    return " and ".join(evaluator.name for evaluator in evaluators) or "none"


@dataclass(frozen=True)
class Group:
    """The metrics of the pictures of one group, and how many pairs (or faces) they are of."""

    count: int
    metrics: dict[str, Interval]


@dataclass(frozen=True)
class Report:
    """Values by name, in the order they are shown, and all that is needed to measure them again."""

    protocol: dict[str, Any]
    metrics: dict[str, Interval]
    details: dict[str, Any] = field(default_factory=dict)  # what explains the metrics, without intervals
    references: dict[str, dict[str, Interval]] = field(default_factory=dict)  # the same metrics of what to compare with
    groups: dict[str, Group] = field(default_factory=dict)  # the same metrics of the pictures of each group
    # by resolution how far the control masks select
    masks: dict[str, dict[str, Interval]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the report as JSON; raises `OutputError`."""
        write_text(path, json.dumps(_rounded(asdict(self)), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Report:
        """A report as `save` wrote it; raises `OSError`, and `ValueError` for a file of another kind."""
        return build(cls, read_json(path))


def summarise(values: Mapping[str, np.ndarray], seed: int, *, shares_of_faces: bool = False) -> dict[str, Interval]:
    """Means, with intervals, of metrics by the names that they have in a report, whose values [N] are of pairs or
    faces.

    NaN is a pair or face of which there is nothing to measure. With `shares_of_faces` what is in percent is a share of
    faces, each of which counts once, and has the score interval.
    """
    summary = {}
    for name, of_all in values.items():
        known, metric = of_all[~np.isnan(of_all)], find_metric(name)
        assert metric is not None, name
        if len(known) and shares_of_faces and metric.unit == "%":
            summary[name] = wilson_percent(int((known > 0).sum()), len(known))
        elif len(known):
            summary[name] = bootstrap_mean(known, metric.unit, seed)
    return summary


def store_in_card(path: Path, reports: Mapping[str, Report], flat: bool = False) -> None:
    """Put the metrics of `reports`, by the name of the set each was measured on, into the model card at `path` in place
    of those it had.

    With `flat` those of the first lie beside the sets too, where other parts read them. Raises `ModelError` and
    `OutputError`.
    """
    values = {
        name: {metric: asdict(value) for metric, value in report.metrics.items()} for name, report in reports.items()
    }
    card = replace(load_card(path), metrics=_rounded((next(iter(values.values())) if flat else {}) | values))
    try:
        card.save(path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be written ({error.strerror}).", "Choose a model whose card is writable."
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`; raises `OutputError`."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{path} could not be written ({error.strerror}).", "Choose a folder that exists and is writable."
        ) from None


def check_outputs(*paths: Path | None) -> None:
    """Raise `OutputError` before a long measurement where a result could not be written after it, or over a model's
    card."""
    for path in paths:
        if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise OutputError(
                f"{path.parent} is not a folder that can be written to.", "Choose another place for the result."
            )
        if path is not None and path.suffix == ".json" and path.with_suffix(".onnx").exists():
            raise OutputError(f"{path} is the card of the model beside it.", "Choose another name for the report.")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return round(value, DECIMALS) if isinstance(value, float) else value
