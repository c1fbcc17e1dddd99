"""`facechange identity`: a real person's identity, read once from pictures and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import say, waiting
from facechange.cli.options import ConsentOption, EngineOption, PurposeOption, ThreadsOption
from facechange.cli.people import SourceFaceOption

if TYPE_CHECKING:
    from facechange.swap.identities import Identity

app = typer.Typer(help="Keep the identity of a person who agreed, averaged over pictures.", no_args_is_help=True)


@app.command("new")
def new(
    output: Annotated[Path, typer.Argument(help="Where to keep it; the name ends in .fcid.", metavar="FILE.fcid")],
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures of the person, the more the better.", metavar="PICTURE...")
    ],
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    name: Annotated[
        str, typer.Option(help="What the person is called; the file's name by default.", show_default=False)
    ] = "",
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Seal it with a passphrase, asked for or in FACECHANGE_PASSPHRASE.")
    ] = False,
    source_face: SourceFaceOption = None,
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
) -> None:
    """Average the identity of one person over pictures, and keep it: a source like any picture, facechange swap
    ann.fcid TARGET.

    The file tells machines who somebody is: keep it as you would keep a password. It has a record of consent of its
    own.
    """
    from facechange.consent import load_context, require_grant
    from facechange.consent.recording import record_identity
    from facechange.faces.select import FaceSelector
    from facechange.swap import load_swapper
    from facechange.swap.assignment import read_identity
    from facechange.swap.identities import check_identity_place

    check_identity_place(output)
    giving = None if source_face is None else FaceSelector.parse(source_face)
    passphrase = _choose_passphrase() if encrypt else ""
    with waiting("Reading the pictures"):
        grant = require_grant(load_context(), consent, pictures, [], purpose)
        identity = read_identity(
            load_swapper("facechange-256", threads, engine), grant, pictures, name or output.stem, giving
        )
        identity.save(output, passphrase)
        record = record_identity(grant, output)
    sealed = ", sealed" if passphrase else ""
    say(f"{output}: {_describe(identity)}{sealed}; consent {record.id}")


@app.command("show")
def show(
    identity: Annotated[Path, typer.Argument(help="A file made by facechange identity new.", metavar="FILE.fcid")],
) -> None:
    """Say whose identity is kept, and on which consent it rests."""
    from facechange.cli.people import ask_passphrase
    from facechange.swap.identities import Identity, read_passphrase

    kept = Identity.load(identity, read_passphrase([identity], ask_passphrase))
    say(f"{identity}: {_describe(kept)}; consent {kept.consent}")


def _describe(identity: Identity) -> str:
    return f"{identity.name}, of {identity.pictures} picture{'s' if identity.pictures != 1 else ''}"


def _choose_passphrase() -> str:
    import os

    from facechange.swap.identities import PASSPHRASE_VARIABLE

    given = os.environ.get(PASSPHRASE_VARIABLE)
    return given or str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
