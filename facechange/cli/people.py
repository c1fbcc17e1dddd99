"""Who gives the identities, as commands are told: SOURCE..., or several people by --map."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from facechange.faces.select import FaceSelector
    from facechange.swap.people import People

SourcesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Pictures of the person who gives the identity, or a persona or identity that was kept; none with --map.",
        metavar="SOURCE",
        show_default=False,
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="Instead of SOURCE and --face, for each of several people: whose face is for whom, as in --map ann.jpg=left "
        "--map ben-1.jpg,ben-2.jpg=like:REF.jpg. Faces that no rule names stay; with all as the selector they are that person's.",
        metavar="SOURCE=SELECTOR",
        show_default=False,
    ),
]
SourceFaceOption = Annotated[
    str | None,
    typer.Option(
        "--source-face",
        help="Whose face in a source that shows several people; the largest otherwise.",
        metavar="SELECTOR",
        show_default=False,
    ),
]


def read_people(
    sources: Sequence[Path] | None, rules: Sequence[str] | None, face: str, source_face: str | None
) -> People:
    """Who gives the identities to which faces; raises `BadParameter` where that is not said, or said twice, and what
    `People` raises."""
    from facechange.faces.select import FaceSelector
    from facechange.swap.people import People, parse_map

    giving = None if source_face is None else FaceSelector.parse(source_face)
    if rules:
        if sources or face != "all":
            raise typer.BadParameter("SOURCE and --face have no place beside it.", param_hint="--map")
        return _open(parse_map(rules, giving))
    if not sources:
        raise typer.BadParameter(
            "Name pictures of the person before what is to be changed, or use --map.", param_hint="argument SOURCE"
        )
    return _open(People((tuple(sources),), FaceSelector.parse(face), giving))


def _open(people: People) -> People:
    """`people` with the passphrase of those whose identities are sealed."""
    from facechange.swap.identities import read_passphrase

    passphrase = read_passphrase(people.files, ask_passphrase)
    return replace(people, passphrase=passphrase) if passphrase else people


def ask_passphrase(path: Path) -> str:
    """What is typed on the terminal, unseen; raises `PictureError` where there is none."""
    from facechange.core import PictureError
    from facechange.swap.identities import PASSPHRASE_VARIABLE

    if not sys.stdin.isatty():
        raise PictureError(
            f"{path.name} is sealed, and nobody is here to type its passphrase.", f"Put it in {PASSPHRASE_VARIABLE}."
        )
    return str(typer.prompt(f"Passphrase of {path.name}", hide_input=True, err=True))


def read_selection(face: str, only: Sequence[str] | None, all_but: Sequence[str] | None) -> FaceSelector:
    """Whose faces are meant; raises `BadParameter` where that is said twice, and `FaceError`."""
    from facechange.faces.select import FaceSelector

    if sum(map(bool, (face != "all", only, all_but))) > 1:
        raise typer.BadParameter(
            "Each says whose faces are meant; use one of them.", param_hint="--face, --only, --all-but"
        )
    return FaceSelector.parse(*(only or all_but or [face]), all_but=bool(all_but))
