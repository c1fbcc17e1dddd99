"""`facechange data`: make training data of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import counting, say, tell_skipped, waiting

app = typer.Typer(help="Prepare pictures for training.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Prepare pictures for training."""


@app.command("prepare")
def prepare(
    source: Annotated[
        Path, typer.Argument(help="A folder of pictures, or a .jsonl of landmarks with its tar shards beside it.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the aligned shards.")],
    size: Annotated[int, typer.Option(min=64, max=2048, help="Side of the aligned crops in pixels.")] = 256,
    largest_enlargement: Annotated[
        float, typer.Option(min=0.1, help="Leave out faces that a crop would enlarge more.")
    ] = float("inf"),
    smallest_face: Annotated[int, typer.Option(min=16, help="Leave out faces smaller than this many pixels.")] = 64,
    origin: Annotated[
        str | None,
        typer.Option(help="Where pictures are from that do not say so themselves; cards tell it.", show_default=False),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of such pictures.", show_default=False)] = None,
    notes: Annotated[
        str | None, typer.Option(help="What else cards are to say of the data.", show_default=False)
    ] = None,
) -> None:
    """Align every face as in FFHQ and pack the crops; a rerun continues where the last one ended.

    dataset.json beside them says how many there are, where they are from and under which licence.
    """
    from facechange.cli.extras import need_training

    need_training()
    from facechange.core import clean_line
    from facechange.training.prepare import needs_detector, prepare_shards

    detect = None
    if needs_detector(source):
        from facechange.swap import load_detector

        with waiting("Loading the detector"):
            detect = load_detector().detect
    about = {"origin": origin, "licence": licence, "notes": notes}
    known = {name: clean_line(value) for name, value in about.items() if value is not None}
    with counting("Aligning faces") as report:
        prepared = prepare_shards(source, output, size, detect, smallest_face, largest_enlargement, report, known)
    tell_skipped(prepared.skipped)
    before = f", {prepared.done_before:,} pictures were done before" if prepared.done_before else ""
    say(f"{output}: {prepared.written:,} faces written, {len(prepared.skipped):,} pictures skipped{before}.")
