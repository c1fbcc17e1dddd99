"""`facechange faces`: see which faces are found, and which of them would be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import say, waiting
from facechange.cli.options import DetectorThresholdOption, EngineOption, FaceOption, ThreadsOption


def faces(
    target: Annotated[Path, typer.Argument(help="The photograph to look at.", metavar="PICTURE")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to write the sheet; its extension decides the format.")
    ],
    face: FaceOption = "all",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
) -> None:
    """Draw the faces of a photograph: boxes, points, scores, which ones --face selects, and why one is skipped. Nothing
    is changed."""
    from facechange.core import OutputError
    from facechange.core.files import check_place, plain_errors, write_whole
    from facechange.faces.select import FaceSelector
    from facechange.images import WRITABLE_SUFFIXES, as_picture, encode_picture, read_picture
    from facechange.swap import load_swapper
    from facechange.swap.faces_sheet import draw_faces_sheet, explain_faces
    from facechange.swap.swapper import naming

    if target.exists() and output.exists() and target.samefile(output):
        raise OutputError(
            f"{output} is the picture to read.", "Write the sheet to another file, so that the original stays."
        )
    if output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise OutputError(
            f"The name {output.name} ends in no kind of picture.", f"Use one of {', '.join(WRITABLE_SUFFIXES)}."
        )
    check_place(output)
    with waiting("Looking for faces"), naming(target):
        picture = read_picture(target)
        found = explain_faces(
            load_swapper("facechange-256", threads, engine, False, threshold), picture, FaceSelector.parse(face)
        )
    sheet = encode_picture(as_picture(draw_faces_sheet(picture.rgb8(), found)), output.suffix)
    with plain_errors(output):
        write_whole(sheet, output)
    for one in found:
        say(one.describe())
    selected = sum(not one.skipped for one in found)
    say(f"{output}: {len(found)} found, {selected} selected")
