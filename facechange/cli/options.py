"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class KeepChoice(StrEnum):
    """The values of `--keep`."""

    mask = "mask"
    crop = "crop"


class BeyondChoice(StrEnum):
    """The values of `--beyond`."""

    left = "left"
    faded = "faded"
    covered = "covered"


class FallbackChoice(StrEnum):
    """The values of `--fallback`."""

    blur = "blur"
    mosaic = "mosaic"
    box = "box"
    none = "none"


OutputOption = Annotated[
    Path, typer.Option("-o", "--output", help="Where to write the result; its extension decides the format.")
]
ConsentOption = Annotated[
    str | None,
    typer.Option(
        "--consent",
        help="Who agreed to this change and how: the number of a record (fc-...), self, synthetic, or a sentence. Stored in the result.",
        show_default=False,
    ),
]
SheetConsentOption = Annotated[
    str | None,
    typer.Option(
        "--consent",
        help="Who agreed that sheets show these faces changed, as for swap. A labelled set needs nobody; a folder of pictures does.",
        show_default=False,
    ),
]
PurposeOption = Annotated[
    str,
    typer.Option("--purpose", help="What the result is for; a record of consent can ask for it.", show_default=False),
]
FaceOption = Annotated[
    str,
    typer.Option(
        "--face",
        "--face-selector",
        help="all, largest, left, right, centre, numbers from the left (2 or 1,3), or like:PICTURE.",
    ),
]
StrengthOption = Annotated[
    float,
    typer.Option("--strength", min=0.0, max=1.3, help="How far to go: 0 the target's own identity, 1 the source's."),
]
KeepOption = Annotated[
    KeepChoice,
    typer.Option("--keep", help="mask: the target's own pixels where nothing changed; crop: the model's whole crop."),
]
BeyondOption = Annotated[
    BeyondChoice | None,
    typer.Option(
        help="A face turned too far from the viewer is left as it is, covered by a blur, or the change fades on the way there.",
        show_default="left in photographs, faded in videos",
    ),
]
FallbackOption = Annotated[
    FallbackChoice,
    typer.Option(
        "--fallback", help="How a face is covered that no change makes unlike who it was; none leaves it, and says so."
    ),
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="Write what became of each face to this JSON file.", show_default=False)
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--output-video-encoder",
        help="h264, h265, av1, prores or ffv1 (lossless); by the output by default.",
        show_default=False,
    ),
]
QualityOption = Annotated[
    int, typer.Option("--output-video-quality", min=0, max=100, help="100 is the best picture and the largest file.")
]
PresetOption = Annotated[
    str, typer.Option("--output-video-preset", help="ultrafast to veryslow: slower makes smaller files.")
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="facechange-256, facechange-512 and facechange-1024 (more detail, slower) or the file of an exported model (.onnx and .json).",
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Processors to use; all by default.", show_default=False)
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        help="What runs the networks: auto, cpu, openvino, openvino-fp32, cuda, tensorrt, coreml, directml or pytorch.",
        metavar="NAME",
    ),
]
DetectorThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--detector-threshold",
        min=0.05,
        max=0.99,
        help="How sure it has to be that something is a face, 0.72 by default: lower finds more, also what is none.",
        show_default=False,
    ),
]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Say what is used.")]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Let a Ray cluster do it: HOST:PORT, local (the processors of this machine), or no address for the cluster that runs here.",
        metavar="[ADDRESS]",
        show_default=False,
    ),
]
RayWorkersOption = Annotated[
    int | None,
    typer.Option(
        "--ray-workers",
        min=1,
        help="Workers to ask the cluster for; one a GPU, else one a processor by default.",
        show_default=False,
    ),
]
_ADDRESS = re.compile(r"auto|local|ray://.+|[^/\s]+:\d+")


def complete_ray(words: Sequence[str]) -> list[str]:
    """The words of a command line, where `--ray` without an address gets `auto`."""
    kept: list[str] = []
    for index, word in enumerate(words):
        kept.append(word)
        if word == "--":
            return [*kept, *words[index + 1 :]]
        if word == "--ray" and not _ADDRESS.fullmatch(words[index + 1] if index + 1 < len(words) else ""):
            kept.append("auto")
    return kept
