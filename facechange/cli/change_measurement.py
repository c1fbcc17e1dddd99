"""What `evaluate change`, `evaluate anonymize` and `evaluate report` share: from options to a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facechange.cli.console import counting, tell_skipped

if TYPE_CHECKING:
    import numpy as np

    from facechange.evaluation import Case, Detector, Landmarker, Recogniser, Report
    from facechange.evaluation.aligned_faces import FacePictures
    from facechange.runtime import Graph

EXACT_ENGINE = "cpu"  # everything in float32, at every size: quality is the model's, not the engine's


@dataclass(frozen=True)
class ChangeOptions:
    """What a measurement of a face-change model is told."""

    faces: Path
    recogniser: Path
    model: str = "change"
    identity: str = "identity"
    split: str = "val"
    normalisation: str = "imagenet"
    landmarks: Path | None = None
    backgrounds: Path | None = None
    references: bool = True
    pairs: int = 240
    seed: int = 0
    engine: str = EXACT_ENGINE


@dataclass(frozen=True)
class ChangeSubject:
    """The judges, the graphs and the faces of a measurement, loaded."""

    recogniser: Recogniser
    landmarker: Landmarker | None
    change: Graph
    identity: Graph
    pictures: FacePictures


def open_subject(options: ChangeOptions) -> ChangeSubject:
    """Load all that `options` name, the judges first; raises what is wrong with them before anything is measured."""
    from facechange import evaluation
    from facechange.runtime import load_graph

    judge = evaluation.Recogniser(options.recogniser, options.normalisation)
    landmarker = None if options.landmarks is None else evaluation.Landmarker(options.landmarks)
    change, identity = load_graph(options.model, engine=options.engine), load_graph(options.identity)
    return ChangeSubject(judge, landmarker, change, identity, open_faces(options.faces, options.split, landmarker))


def open_faces(folder: Path, split: str, landmarker: Landmarker | None) -> FacePictures:
    """Labelled faces where `folder` has a SPLIT.jsonl, else the faces found in its pictures."""
    from facechange import evaluation
    from facechange.core import PictureError

    if (folder / f"{split}.jsonl").is_file() or not folder.is_dir():
        return evaluation.LabelledFaces(folder, split)
    if landmarker is None:
        raise PictureError(
            f"{folder} has no {split}.jsonl, so landmarks have to be found.", "Give --landmarks, or the folder of labelled shards."
        )
    from facechange.change import load_locator

    with counting("Looking for faces") as progress:
        found = evaluation.FoundFaces(folder, load_locator().locate, landmarker, progress)
    tell_skipped(found.skipped)
    return found


def measure_change(options: ChangeOptions, subject: ChangeSubject, keep: Callable[[Case], None]) -> Report:
    """The whole table, reference rows included where `options` ask for them."""
    from facechange import evaluation

    photographs: list[np.ndarray] = []
    if options.backgrounds is not None:
        from facechange.training.locator_data import read_backgrounds

        photographs = read_backgrounds(options.backgrounds, held_out=True)
    with tempfile.TemporaryDirectory() as folder, counting("Changing faces") as progress:
        report = evaluation.evaluate_change(
            evaluation.change_with(subject.change),
            evaluation.identify_with(subject.identity),
            subject.change.card.size_px,
            subject.pictures,
            subject.recogniser,
            options.pairs,
            options.seed,
            progress,
            keep,
            landmarker=subject.landmarker,
            references=evaluation.load_references(options.model, Path(folder), options.engine) if options.references else {},
            photographs=photographs,
        )
    return _name_engine(report, subject.change)


def measure_anonymize(options: ChangeOptions, subject: ChangeSubject, detector: Detector | None) -> Report:
    """Every face made the persona of its person, as one run of `anonymize` does."""
    from facechange import evaluation
    from facechange.change import PersonaCast, load_locator
    from facechange.evaluation.anonymize_report import Finder

    finders: dict[str, Finder] = {"locator": load_locator().locate}
    if detector is not None:
        finders[detector.name] = detector.locate
    with counting("Anonymising faces") as progress:
        report = evaluation.evaluate_anonymize(
            evaluation.change_with(subject.change),
            evaluation.identify_with(subject.identity),
            PersonaCast(options.seed).identity_for,
            subject.change.card.size_px,
            subject.pictures,
            subject.recogniser,
            finders,
            options.seed,
            progress,
            landmarker=subject.landmarker,
        )
    return _name_engine(report, subject.change)


def _name_engine(report: Report, change: Graph) -> Report:
    return replace(report, protocol=report.protocol | {"engine": change.engine})


def draw_masks(graph: Graph, case: Case) -> np.ndarray:
    """The mask sheet of one pair (Fig. 6): uint8 [H, W, 3]."""
    from facechange.change.mask_sheet import draw_mask_sheet
    from facechange.runtime import to_tensor

    masks = [name for name in graph.output_names if name.startswith("mask_")]  # coarse to fine
    outputs = graph.run({"target": to_tensor(case.target), "identity": case.identity[None].astype("float32")}, masks)
    return draw_mask_sheet(case.source, case.target, case.changed, [outputs[name][0, 0] for name in masks])
