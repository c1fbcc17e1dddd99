"""Measure exported graphs, one metric a file, the protocol in its name."""

from facechange.data.labelled import LabelledFaces
from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.anonymize_report import evaluate_anonymize
from facechange.evaluation.baselines import as_baseline, change_with, load_references
from facechange.evaluation.change_meter import Case
from facechange.evaluation.change_report import evaluate_change
from facechange.evaluation.comparison_grid import Sheet, draw_comparison_grid, mark_crop, publish_sheet
from facechange.evaluation.detected_faces import FoundFaces
from facechange.evaluation.detector import Detector
from facechange.evaluation.dlib_evaluator import DlibEvaluator
from facechange.evaluation.dlib_landmarker import DlibLandmarker
from facechange.evaluation.identity_report import evaluate_identity, identify_with
from facechange.evaluation.landmarker import Landmarker
from facechange.evaluation.recognition import OnnxEvaluator
from facechange.evaluation.report import Report, check_outputs
from facechange.evaluation.scout_recall import evaluate_scout
from facechange.evaluation.shown_cases import ShownCases
from facechange.evaluation.synthetic_faces import SyntheticFaces

__all__ = [
    "AlignedFaces",
    "Case",
    "Detector",
    "DlibEvaluator",
    "DlibLandmarker",
    "FoundFaces",
    "LabelledFaces",
    "Landmarker",
    "OnnxEvaluator",
    "Report",
    "Sheet",
    "ShownCases",
    "SyntheticFaces",
    "as_baseline",
    "change_with",
    "check_outputs",
    "draw_comparison_grid",
    "evaluate_anonymize",
    "evaluate_change",
    "evaluate_identity",
    "evaluate_scout",
    "identify_with",
    "load_references",
    "mark_crop",
    "publish_sheet",
]
