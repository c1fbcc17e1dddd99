"""Measure exported graphs, one metric a file, the protocol in its name."""

from facechange.evaluation.change_report import change_with, evaluate_change
from facechange.evaluation.comparison_grid import draw_comparison_grid, write_sheet
from facechange.evaluation.identity_report import evaluate_identity, identify_with
from facechange.evaluation.locator_report import evaluate_locator
from facechange.evaluation.recognition import NORMALISATIONS, Recogniser
from facechange.evaluation.report import Report, check_folders
from facechange.faces.labelled import LabelledFaces

__all__ = [
    "NORMALISATIONS",
    "LabelledFaces",
    "Recogniser",
    "Report",
    "change_with",
    "check_folders",
    "draw_comparison_grid",
    "evaluate_change",
    "evaluate_identity",
    "evaluate_locator",
    "identify_with",
    "write_sheet",
]
