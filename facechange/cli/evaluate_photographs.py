"""`facechange evaluate photographs`: whole photographs anonymised as users anonymise them, and whether what is said is
true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import counting, waiting
from facechange.cli.options import EngineOption, FallbackChoice, FallbackOption
from facechange.cli.report_output import JsonOption, show_report


def photographs(
    faces: Annotated[Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards, a face a picture.")],
    evaluator: Annotated[
        str, typer.Option(help="Evaluator: dlib, or an ONNX face recognizer that facechange does not ship.")
    ] = "dlib",
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    normalisation: Annotated[str, typer.Option(help="What the evaluator expects: imagenet or symmetric.")] = "imagenet",
    model: Annotated[str, typer.Option(help="As for anonymize.")] = "facechange-512",
    fallback: FallbackOption = FallbackChoice.blur,
    seed: Annotated[int, typer.Option(min=0, help="Decides who becomes whom; draws the bootstrap.")] = 0,
    engine: EngineOption = "auto",
    json: JsonOption = None,
) -> None:
    """Whether people can still be told in anonymised photographs, fallbacks included, and whether what is said of them
    is true."""
    import numpy as np

    from facechange import evaluation
    from facechange.cli.change_measurement import open_evaluator
    from facechange.core import Changed
    from facechange.data.labelled import LabelledFace
    from facechange.evaluation.photographs_report import evaluate_photographs
    from facechange.images import as_picture
    from facechange.swap import PersonaAssignment, load_swapper
    from facechange.swap.anonymize import anonymize_faces
    from facechange.swap.swapper import HIDING_SCORE

    evaluation.check_outputs(json)
    with waiting("Loading the evaluator and the model"):
        opened = open_evaluator(evaluator, normalisation)
        labelled, swapper = evaluation.LabelledFaces(faces, split), load_swapper(model, engine=engine, many_runs=True)
    assignment = PersonaAssignment(seed)

    def anonymize(picture: np.ndarray) -> Changed:
        return anonymize_faces(
            swapper,
            as_picture(picture),
            swapper.find_all(picture, HIDING_SCORE, thorough=True),
            assignment,
            fallback.value,
        )

    def see(picture: np.ndarray, face: LabelledFace) -> np.ndarray:
        landmarks68 = face.landmarks5 if face.landmarks68 is None else face.landmarks68
        return opened.recognise(opened.crop(picture, face.landmarks5, landmarks68)[None])[0]

    with counting("Anonymising photographs") as progress:
        report = evaluate_photographs(anonymize, labelled, see, opened.name, seed, progress)
    show_report(report, swapper.model, json)
