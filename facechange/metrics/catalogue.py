"""All metrics, in the order of docs/map.md."""

from __future__ import annotations

from typing import Any

from facechange.metrics.detection import DETECTION
from facechange.metrics.expression import EXPRESSION
from facechange.metrics.fidelity import FIDELITY
from facechange.metrics.identity import IDENTITY
from facechange.metrics.masks import MASKS
from facechange.metrics.metric import Metric
from facechange.metrics.pose import POSE
from facechange.metrics.temporal import TEMPORAL

CATALOGUE: tuple[Metric[..., Any], ...] = (*IDENTITY, *POSE, *EXPRESSION, *FIDELITY, *MASKS, *DETECTION, *TEMPORAL)


def find_metric(name: str) -> Metric[..., Any] | None:
    """The metric that a report calls `name`, whoever saw it; None for one that is no longer measured."""
    return next((metric for metric in CATALOGUE if metric.is_called(name)), None)
