"""`facechange verify`: what is known about a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    files: Annotated[list[Path], typer.Argument(help="Pictures or videos, of anybody's making.", metavar="FILE...")],
    trust: Annotated[
        Path | None, typer.Option("--trust", help="PEM certificates of authorities whose word on signers you take.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, a list of one entry a file.")] = False,
) -> None:
    """Say what a file is: made here, by which model, signed by whom, changed since, watermarked, with consent in force.

    Nothing is asked of anyone outside this computer.
    """
    import json
    from dataclasses import asdict

    from facechange.core import PictureError
    from facechange.faces.locate import FaceLocator
    from facechange.runtime import load_graph
    from facechange.trust.verify import examine
    from facechange.trust.verify_words import describe_findings

    try:
        trusted = trust.read_text(encoding="ascii") if trust else ""
    except (OSError, UnicodeDecodeError):
        raise PictureError(f"The certificates {trust} cannot be read.", "Name a file of PEM certificates.") from None
    locator = FaceLocator(load_graph("locator"))
    entries = []
    for path in files:
        findings = examine(path, locator.locate, trusted)
        words = describe_findings(findings)
        entries.append({**asdict(findings), "words": words})
        if not as_json:
            typer.echo("\n  ".join([str(path), *words]))
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
