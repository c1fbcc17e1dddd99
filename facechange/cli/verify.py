"""`facechange verify`: what is known about a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facechange.cli.console import say, say_json, waiting


def verify(
    files: Annotated[list[Path], typer.Argument(help="Pictures or videos, of anybody's making.", metavar="FILE...")],
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust", help="PEM certificates of authorities whose word on signers you take.", show_default=False
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, a list of one entry a file.")
    ] = False,
) -> None:
    """Say what a file is: made here, by which model, signed by whom, changed since, watermarked, with consent in force.

    Nothing is asked of anyone outside this computer. A file that is not what was signed makes the exit code 12, one
    that cannot be read 3; no credentials at all are no fault.
    """
    from dataclasses import asdict

    from facechange.consent import load_context
    from facechange.core import EXIT_NOT_AS_SIGNED, PictureError
    from facechange.provenance.verify import examine
    from facechange.provenance.verify_words import describe_findings
    from facechange.swap import load_detector

    try:
        trusted = trust.read_text(encoding="ascii") if trust else ""
    except (OSError, UnicodeDecodeError):
        raise PictureError(f"The certificates {trust} cannot be read.", "Name a file of PEM certificates.") from None
    with waiting("Loading the detector"):
        detector = load_detector()
    context = load_context()
    entries: list[dict[str, Any]] = []
    for path in files:
        try:
            with waiting("Looking at the file"):
                findings = examine(context, path, detector.detect, trusted)
        except PictureError as error:  # the others are looked at all the same
            entries.append({"file": path.name, "error": str(error)})
            say(str(error), err=True)
            continue
        words = describe_findings(findings)
        entries.append({**asdict(findings), "as_signed": findings.is_as_signed, "words": words})
        if not as_json:
            say(str(path), *(f"  {line}" for line in words))
    if as_json:
        say_json(entries)
    if not all(entry.get("as_signed", True) for entry in entries):
        raise typer.Exit(EXIT_NOT_AS_SIGNED)
    if any("error" in entry for entry in entries):
        raise typer.Exit(PictureError.exit_code)
