"""`facechange models`: which networks are installed and what they are."""

from __future__ import annotations

import typer

app = typer.Typer(help="The networks that facechange runs.", no_args_is_help=True)


@app.callback()
def models() -> None:
    """The networks that facechange runs."""


@app.command("list")
def list_models() -> None:
    """List the embedded models with their cards."""
    from rich.console import Console
    from rich.table import Table

    from facechange.core import FacechangeError, load_card
    from facechange.runtime import EMBEDDED_NAMES, embedded_path

    table = Table(box=None, pad_edge=False)
    for heading in ("role", "name", "version", "input", "parameters", "size", "licence", "what"):
        table.add_column(heading, overflow="fold")
    for role in EMBEDDED_NAMES:
        path = embedded_path(role)
        try:
            card, size = load_card(path.with_suffix(".json")), path.stat().st_size
        except (FacechangeError, OSError):
            table.add_row(role, "not installed")
            continue
        side = f"{card.size_px} px" if card.size_px else "any"
        mebibytes = f"{size / 2**20:.1f} MiB"
        table.add_row(role, card.name, card.version, side, f"{card.parameters:,}", mebibytes, card.licence, card.summary)
    Console().print(table)
