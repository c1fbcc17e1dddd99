"""What `evaluate change`, `evaluate anonymize` and `evaluate report` share: from options to a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facechange.cli.console import counting, tell_skipped, waiting

if TYPE_CHECKING:
    import numpy as np

    from facechange.consent import Grant
    from facechange.evaluation import Detector, Report, Sheet, ShownCases
    from facechange.evaluation.aligned_faces import FacePictures
    from facechange.evaluation.change_meter import Case
    from facechange.evaluation.change_report import Masks
    from facechange.evaluation.face_mesh import FaceMesh
    from facechange.evaluation.landmarker import PoseEvaluator
    from facechange.evaluation.recognition import Evaluator
    from facechange.runtime import Graph

DLIB = "dlib"  # the evaluator that took no part in training
MEDIAPIPE = "mediapipe"  # likewise: the dense mesh and the irises
EXACT_ENGINE = "cpu"  # everything in float32, at every size: quality is the model's, not the engine's


@dataclass(frozen=True)
class ChangeOptions:
    """What a measurement of a face-change model is told."""

    faces: Path
    evaluators: tuple[str, ...]
    model: str = "facechange-256"
    identity: str = "identity"
    split: str = "val"
    normalisation: str = "imagenet"
    landmarks: tuple[str, ...] = ()
    backgrounds: Path | None = None
    references: bool = True
    forced_masks: bool = True  # among the references
    pairs: int = 240
    seed: int = 0
    engine: str = EXACT_ENGINE
    fid: bool = False
    inception: Path | None = None  # file of Inception's weights, which are fetched without it


@dataclass(frozen=True)
class ChangeSubject:
    """The evaluators, the graphs and the faces of a measurement, loaded."""

    evaluators: list[Evaluator]
    landmarkers: list[PoseEvaluator]
    change: Graph
    identity: Graph
    pictures: FacePictures
    mesh: FaceMesh | None = None


def open_subject(options: ChangeOptions) -> ChangeSubject:
    """Load all that `options` name, the evaluators first; raises what is wrong with them before anything is
    measured."""
    from facechange.metrics.fidelity import need_fid
    from facechange.runtime import load_graph

    if options.fid:
        need_fid()
    with waiting("Loading the evaluators and the networks"):
        evaluators = [open_evaluator(name, options.normalisation) for name in options.evaluators]
        landmarkers, mesh = open_landmarkers(options.landmarks)
        change, identity = load_graph(options.model, engine=options.engine), load_graph(options.identity)
    return ChangeSubject(
        evaluators, landmarkers, change, identity, open_faces(options.faces, options.split, landmarkers), mesh
    )


def open_evaluator(name_or_path: str, normalisation: str) -> Evaluator:
    """dlib's evaluator by its name, or an ONNX file's; raises `DependencyError` and `ModelError`."""
    from facechange import evaluation

    if name_or_path == DLIB:
        return evaluation.DlibEvaluator()
    return evaluation.OnnxEvaluator(Path(name_or_path), normalisation)


def open_landmarkers(names: Sequence[str]) -> tuple[list[PoseEvaluator], FaceMesh | None]:
    """dlib's landmarks by its name, or an ONNX file's, and the dense mesh where it is named; raises `DependencyError`
    and `ModelError`."""
    from facechange import evaluation
    from facechange.evaluation.face_mesh import FaceMesh

    landmarkers: list[PoseEvaluator] = [
        evaluation.DlibLandmarker() if name == DLIB else evaluation.Landmarker(Path(name))
        for name in names
        if name != MEDIAPIPE
    ]
    return landmarkers, FaceMesh() if MEDIAPIPE in names else None


def open_faces(folder: Path, split: str, landmarkers: list[PoseEvaluator]) -> FacePictures:
    """Labelled faces where `folder` has a SPLIT.jsonl, else the faces found in its pictures."""
    from facechange import evaluation
    from facechange.core import PictureError

    if (folder / f"{split}.jsonl").is_file() or not folder.is_dir():
        return evaluation.LabelledFaces(folder, split)
    if not landmarkers:
        raise PictureError(
            f"{folder} has no {split}.jsonl, so landmarks have to be found.",
            "Give --landmarks, or the folder of labelled shards.",
        )
    from facechange.swap import load_detector

    with counting("Looking for faces") as progress:
        found = evaluation.FoundFaces(folder, load_detector().detect, landmarkers[0], progress)
    tell_skipped(found.skipped)
    return found


def measure_change(options: ChangeOptions, subject: ChangeSubject, keep: Callable[[Case], None]) -> Report:
    """The whole table, reference rows and FID included where `options` ask for them."""
    from facechange.evaluation.inception_fid import FidPictures

    if not options.fid:
        return _measure_change(options, subject, keep)
    with tempfile.TemporaryDirectory() as folder:
        pictures = FidPictures(Path(folder))

        def keep_both(case: Case) -> None:
            pictures(case)
            keep(case)

        report = _measure_change(options, subject, keep_both)
        with waiting("Measuring FID"):
            report.details.update(pictures.measure(options.inception))
    return report


def _measure_change(options: ChangeOptions, subject: ChangeSubject, keep: Callable[[Case], None]) -> Report:
    from facechange import evaluation

    photographs: list[np.ndarray] = []
    if options.backgrounds is not None:
        from facechange.data.backgrounds import read_backgrounds

        with waiting("Reading the backgrounds"):
            photographs = read_backgrounds(options.backgrounds, held_out=True)
    with tempfile.TemporaryDirectory() as folder, counting("Changing faces") as progress:
        references = {}
        if options.references:
            references = evaluation.load_references(options.model, Path(folder), options.engine, options.forced_masks)
        report = evaluation.evaluate_change(
            evaluation.change_with(subject.change),
            evaluation.identify_with(subject.identity),
            subject.change.card.size_px,
            subject.pictures,
            subject.evaluators,
            options.pairs,
            options.seed,
            progress,
            keep,
            landmarkers=subject.landmarkers,
            mesh=subject.mesh,
            masks=masks_of(subject.change),
            references=references,
            photographs=photographs,
        )
    return _name_engine(report, subject.change)


def measure_anonymize(options: ChangeOptions, subject: ChangeSubject, detector: Detector | None) -> Report:
    """Every face made the persona of its person, as one run of `anonymize` does."""
    from facechange import evaluation
    from facechange.evaluation.anonymize_report import Finder
    from facechange.swap import PersonaAssignment, load_detector

    with waiting("Loading the detector"):
        finders: dict[str, Finder] = {"scout": load_detector().detect}
    if detector is not None:
        finders[detector.name] = detector.detect
    with counting("Anonymising faces") as progress:
        report = evaluation.evaluate_anonymize(
            evaluation.change_with(subject.change),
            evaluation.identify_with(subject.identity),
            PersonaAssignment(options.seed).identity_for,
            subject.change.card.size_px,
            subject.pictures,
            subject.evaluators,
            finders,
            options.seed,
            progress,
            landmarkers=subject.landmarkers,
        )
    return _name_engine(report, subject.change)


def _name_engine(report: Report, change: Graph) -> Report:
    return replace(report, protocol=report.protocol | {"engine": change.engine})


def masks_of(graph: Graph) -> Masks:
    """The control masks of one change, coarse to fine, fed as a user's photograph is."""
    from facechange.runtime import CropSwapper

    swapper = CropSwapper(graph)
    return lambda target, identity: swapper.change(target[None], identity, with_masks=True).masks[0]


def draw_masks(graph: Graph, shown: ShownCases) -> Sheet:
    """The mask sheet of the first pair (Fig. 6)."""
    from facechange.evaluation import Sheet, mark_crop
    from facechange.swap.mask_sheet import draw_mask_sheet, places_of_crops

    case = shown.first[0]
    masks = masks_of(graph)(case.target.crop, case.source.identity)
    crops = case.source.crop, case.target.crop, case.changed
    places = zip(shown.changed_points(case), places_of_crops(len(crops[0]), masks), strict=True)
    faces = [
        mark_crop(points, len(crops[0]), left, top, len(crops[0]))
        for points, (left, top) in places
        if points is not None
    ]
    return Sheet(draw_mask_sheet(*crops, masks), faces)


def grant_sheets(faces: Path, split: str, consent: str | None) -> Grant:
    """Leave to show changed faces of `faces` on sheets, asked for before anything is measured.

    A labelled set needs no statement: whoever made it answers for it, which the record says. A folder of plain pictures
    does. Raises what `consent.require_grant` raises.
    """
    from facechange.consent import load_context, require_evaluation_grant, require_grant
    from facechange.evaluation.detected_faces import list_pictures

    listing = faces / f"{split}.jsonl"
    if consent is None and listing.is_file():
        return require_evaluation_grant(load_context(), [listing])
    pictures = [listing] if listing.is_file() else list_pictures(faces)
    return require_grant(load_context(), consent, pictures, pictures)
