"""Measure how fast this machine changes faces, and how near that is to what it can do."""

from facechange.benchmark.report import BenchmarkReport, Plan, run_benchmark
from facechange.benchmark.roofline import draw_roofline

__all__ = ["BenchmarkReport", "Plan", "draw_roofline", "run_benchmark"]
