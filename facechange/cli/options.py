"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OutputOption = Annotated[Path, typer.Option("-o", "--output", help="Where to write the result; its extension decides the format.")]
ConsentOption = Annotated[
    str | None,
    typer.Option(
        "--consent",
        help="Who agreed to this change and how: the number of a record (fc-...), self, synthetic, or a sentence. Stored in the result.",
        show_default=False,
    ),
]
PurposeOption = Annotated[
    str, typer.Option("--purpose", help="What the result is for; a record of consent can ask for it.", show_default=False)
]
FaceOption = Annotated[
    str,
    typer.Option("--face", "--face-selector", help="all, largest, left, right, centre, a number from the left, or like:PICTURE."),
]
StrengthOption = Annotated[
    float, typer.Option("--strength", min=0.0, max=1.3, help="How far to go: 0 the target's own identity, 1 the source's.")
]
ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Another exported face-change model (.onnx with its .json card).", show_default=False)
]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Processors to use; all by default.", show_default=False)]
EngineOption = Annotated[
    str,
    typer.Option(
        "--execution-providers",
        help="What runs the networks: auto, cpu, openvino, openvino-fp32, cuda, tensorrt, coreml, directml or pytorch.",
        metavar="NAME",
    ),
]
