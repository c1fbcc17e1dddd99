"""What is measured: every metric one object, with its name, unit, direction, protocol and computation."""

from facechange.metrics.catalogue import CATALOGUE, find_metric
from facechange.metrics.intervals import Interval, bootstrap_blocks, bootstrap_mean, wilson_percent
from facechange.metrics.metric import Metric

__all__ = ["CATALOGUE", "Interval", "Metric", "bootstrap_blocks", "bootstrap_mean", "find_metric", "wilson_percent"]
