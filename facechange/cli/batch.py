"""`facechange batch`: put a person's face on the faces of every photograph and video of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.folders import FolderRequest, change_folder
from facechange.cli.options import (
    ConsentOption,
    DetectorThresholdOption,
    EncoderOption,
    EngineOption,
    FaceOption,
    KeepChoice,
    KeepOption,
    ModelOption,
    PresetOption,
    PurposeOption,
    QualityOption,
    SourcesArgument,
    StrengthOption,
    ThreadsOption,
    VerboseOption,
)


def batch(
    sources: SourcesArgument,
    folder: Annotated[Path, typer.Argument(help="The folder to change, with the folders in it.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for the results; the same command goes on in it.")],
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    strength: StrengthOption = 1.0,
    keep: KeepOption = KeepChoice.mask,
    pattern: Annotated[
        str, typer.Option("--output-pattern", help="Names of the results, of {index}, {source_name}, {target_name} and {extension}.")
    ] = "{target_name}.{extension}",
    encoder: EncoderOption = None,
    quality: QualityOption = 80,
    preset: PresetOption = "veryfast",
    model: ModelOption = "change-large",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change every photograph and video of a folder, and write a report and a page that shows them. What is finished is skipped."""
    from facechange.change import cast_sources
    from facechange.change.casting import are_personas, describe_sources
    from facechange.change.folder import ChangeOptions

    options = ChangeOptions(face, keep.value, strength, encoder, quality, preset)
    request = FolderRequest(folder, output, sources, consent, purpose, are_personas(sources), pattern)
    who = describe_sources(sources)
    change_folder(request, who, lambda changer: cast_sources(changer, sources), options, model, threads, engine, threshold, verbose)
