"""`facechange evaluate photographs`: whole photographs anonymised as users anonymise them, and whether what is said is true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import counting, waiting
from facechange.cli.options import EngineOption, FallbackChoice, FallbackOption
from facechange.cli.report_output import JsonOption, show_report


def photographs(
    faces: Annotated[Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards, a face a picture.")],
    recogniser: Annotated[str, typer.Option(help="Judge: dlib, or an ONNX face recogniser that facechange does not ship.")] = "dlib",
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    normalisation: Annotated[str, typer.Option(help="What the recogniser expects: imagenet or symmetric.")] = "imagenet",
    model: Annotated[str, typer.Option(help="As for anonymize.")] = "change-large",
    fallback: FallbackOption = FallbackChoice.blur,
    seed: Annotated[int, typer.Option(min=0, help="Decides who becomes whom; draws the bootstrap.")] = 0,
    engine: EngineOption = "auto",
    json: JsonOption = None,
) -> None:
    """Whether people can still be told in anonymised photographs, fallbacks included, and whether what is said of them is true."""
    import numpy as np

    from facechange import evaluation
    from facechange.change import PersonaCast, load_changer
    from facechange.change.anonymising import anonymize_faces
    from facechange.change.changer import HIDING_SCORE
    from facechange.cli.change_measurement import open_judge
    from facechange.core import Changed
    from facechange.data.labelled import LabelledFace
    from facechange.evaluation.photographs_report import evaluate_photographs
    from facechange.pictures import as_picture

    evaluation.check_outputs(json)
    with waiting("Loading the judge and the model"):
        judge = open_judge(recogniser, normalisation)
        labelled, changer = evaluation.LabelledFaces(faces, split), load_changer(model, engine=engine, many_runs=True)
    cast = PersonaCast(seed)

    def anonymize(picture: np.ndarray) -> Changed:
        return anonymize_faces(changer, as_picture(picture), changer.find_all(picture, HIDING_SCORE, thorough=True), cast, fallback.value)

    def see(picture: np.ndarray, face: LabelledFace) -> np.ndarray:
        landmarks68 = face.landmarks5 if face.landmarks68 is None else face.landmarks68
        return judge.recognise(judge.crop(picture, face.landmarks5, landmarks68)[None])[0]

    with counting("Anonymising photographs") as progress:
        report = evaluate_photographs(anonymize, labelled, see, judge.name, seed, progress)
    show_report(report, changer.model, json)
