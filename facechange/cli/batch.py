"""`facechange batch`: put a person's face on the faces of every photograph and video of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.cluster import RayRequest
from facechange.cli.folders import FolderRequest, change_addresses, change_folder
from facechange.cli.options import (
    BeyondOption,
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
    RayOption,
    RayWorkersOption,
    StrengthOption,
    ThreadsOption,
    VerboseOption,
)
from facechange.cli.people import MapOption, SourceFaceOption, SourcesArgument, read_people

if TYPE_CHECKING:
    from facechange.scale import Mirror


def batch(
    *,
    sources: SourcesArgument = None,
    folder: Annotated[
        str, typer.Argument(help="The folder to change, with the folders in it; with --ray also s3://BUCKET/FOLDER.")
    ],
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="The folder for the results, or s3://; the same command goes on in it."),
    ],
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    rules: MapOption = None,
    source_face: SourceFaceOption = None,
    strength: StrengthOption = 1.0,
    keep: KeepOption = KeepChoice.mask,
    beyond: BeyondOption = None,
    pattern: Annotated[
        str,
        typer.Option(
            "--output-pattern", help="Names of the results, of {index}, {source_name}, {target_name} and {extension}."
        ),
    ] = "{target_name}.{extension}",
    encoder: EncoderOption = None,
    quality: QualityOption = 80,
    preset: PresetOption = "veryfast",
    model: ModelOption = "facechange-512",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    ray: RayOption = None,
    ray_workers: RayWorkersOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change every photograph and video of a folder, and write a report and a page that shows them. What is finished is
    skipped."""
    from facechange.swap.batch import ChangeOptions

    people = read_people(sources, rules, face, source_face)
    options = ChangeOptions(
        face=people.selection,
        keep=keep.value,
        strength=strength,
        encoder=encoder,
        quality=quality,
        preset=preset,
        beyond=beyond.value if beyond else None,
    )

    def change(here: Path, there: Path, mirror: Mirror | None = None) -> None:
        asked = RayRequest(ray, ray_workers) if ray else None
        request = FolderRequest(here, there, people.files, consent, purpose, None, pattern, asked, output)
        given = people.describe, people.assign, options, model, threads, engine, threshold, verbose
        change_folder(request, *given, mirror)

    if "://" in folder + output:
        change_addresses(folder, output, change, ray is not None)
    else:
        change(Path(folder), Path(output))
