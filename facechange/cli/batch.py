"""`facechange batch`: put a person's face on the faces of every photograph and video of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.folders import FolderRequest, change_folder
from facechange.cli.options import ConsentOption, EngineOption, FaceOption, ModelOption, PurposeOption, StrengthOption, ThreadsOption
from facechange.cli.swap import KeepChoice


def batch(
    sources: Annotated[list[Path], typer.Argument(help="One or more pictures of the person who gives the identity.", metavar="SOURCE...")],
    folder: Annotated[Path, typer.Argument(help="The folder to change, with the folders in it.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for the results; the same command goes on in it.")],
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    strength: StrengthOption = 1.0,
    keep: Annotated[
        KeepChoice, typer.Option(help="mask: the photograph's own pixels where nothing changed; crop: the model's whole crop.")
    ] = KeepChoice.mask,
    pattern: Annotated[
        str, typer.Option("--output-pattern", help="Names of the results, of {index}, {source_name}, {target_name} and {extension}.")
    ] = "{target_name}.{extension}",
    encoder: Annotated[
        str | None,
        typer.Option("--output-video-encoder", help="h264, h265, av1, prores or ffv1; by the video's kind by default.", show_default=False),
    ] = None,
    quality: Annotated[
        int, typer.Option("--output-video-quality", min=0, max=100, help="100 is the best picture and the largest file.")
    ] = 80,
    preset: Annotated[str, typer.Option("--output-video-preset", help="ultrafast to veryslow: slower makes smaller files.")] = "veryfast",
    model: ModelOption = None,
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is used.")] = False,
) -> None:
    """Change every photograph and video of a folder, and write a report and a page that shows them. What is finished is skipped."""
    from facechange.change import cast_sources
    from facechange.change.casting import are_personas, describe_sources
    from facechange.change.folder import ChangeOptions

    options = ChangeOptions(face, keep.value, strength, encoder, quality, preset)
    request = FolderRequest(folder, output, sources, consent, purpose, are_personas(sources), pattern)
    change_folder(
        request, describe_sources(sources), lambda changer: cast_sources(changer, sources), options, model, threads, engine, verbose
    )
