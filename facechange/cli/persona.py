"""`facechange persona`: people who do not exist, kept for a virtual character (para. 99)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import say, waiting

app = typer.Typer(help="Keep a person who does not exist, for a virtual character.", no_args_is_help=True)


@app.command("new")
def new(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to keep it; the name ends in .persona.")],
    name: Annotated[
        str, typer.Option(help="What the character is called; the file's name by default.", show_default=False)
    ] = "",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draws the same persona again; random by default.", show_default=False)
    ] = None,
) -> None:
    """Draw a persona; use the file where a source is asked for: facechange swap ann.persona PHOTOGRAPH -o OUT."""
    import secrets

    from facechange.swap.personas import new_persona, write_persona

    with waiting("Drawing the persona"):
        persona = new_persona(name or output.stem, secrets.randbelow(2**32) if seed is None else seed)
        write_persona(persona, output)
    say(f"{output}: {persona.name}, seed {persona.seed}")


@app.command("show")
def show(
    persona: Annotated[Path, typer.Argument(help="A file made by facechange persona new.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Where to draw its portrait; the extension decides the format.", show_default=False
        ),
    ] = None,
) -> None:
    """Say who a persona is; with -o draw its portrait, its identity on the face of somebody else who does not exist."""
    from facechange.consent import load_context
    from facechange.swap import assign_sources, change_photograph, load_swapper, request_change
    from facechange.swap.personas import PORTRAIT, read_persona

    with waiting("Drawing the persona"):
        kept = read_persona(persona)
        if output is not None:
            grant = request_change(load_context(), [persona], PORTRAIT, output, "synthetic")
            swapper = load_swapper()
            change_photograph(swapper, assign_sources(swapper, [persona]), PORTRAIT, output, grant=grant)
    say(f"{output or persona}: {kept.name}, seed {kept.seed}")
