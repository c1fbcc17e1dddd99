"""`facechange models`: which networks are installed and what they are."""

from __future__ import annotations

import typer

from facechange.cli.console import say

USES = {
    "facechange-256": "Quick: what video, live and anonymize on videos take.",
    "facechange-512": "More detail, slower: what swap, batch, masks and anonymize on photographs take.",
    "facechange-1024": "Most detail, slowest: for faces that fill a large photograph.",
}

app = typer.Typer(help="The networks that facechange runs.", no_args_is_help=True)


@app.callback()
def models() -> None:
    """The networks that facechange runs."""


@app.command("list")
def list_models() -> None:
    """List the embedded models with their cards."""
    from facechange.core import FacechangeError, load_card
    from facechange.runtime import EMBEDDED_NAMES, graph_path

    for name in EMBEDDED_NAMES:
        path = graph_path(name)
        try:
            card, size = load_card(path.with_suffix(".json")), path.stat().st_size
        except (FacechangeError, OSError):
            say(f"{name}: not installed")
            continue
        side = f"{card.size_px} px" if card.size_px else "any size"
        details = (side, f"{card.parameters / 1e6:.1f} M parameters", f"{size / 2**20:.1f} MiB", card.licence)
        use = [f"    {USES[name]}"] if name in USES else []
        say(f"{name}: {card.name} {card.version} ({', '.join(details)})", *use, f"    {card.summary}")
