"""Who gives the identities, and which faces each of them gets: one person, or several by SOURCE=SELECTOR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facechange.consent.record import Digests
from facechange.core import FaceError
from facechange.faces.select import SELECTOR_HELP, FaceSelector, Rule, parse_selectors
from facechange.swap.assignment import IdentityAssignment, OneForEachRule, are_kept, assign_sources, describe_sources
from facechange.swap.swapper import Swapper


@dataclass(frozen=True)
class People:
    """Those who give the identities: for each rule of `selection` the pictures of one person, or a kept persona or
    identity.

    `source_face` is the selector of their faces in their pictures; None means the largest. Raises `FaceError` or
    `PictureError` where they cannot be told apart.
    """

    sources: tuple[tuple[Path, ...], ...]
    selection: FaceSelector
    source_face: FaceSelector | None = None
    passphrase: str = ""  # of the identities among them that are sealed

    def __post_init__(self) -> None:
        for sources in self.sources:
            are_kept(sources)  # a person is the one or the other

    @property
    def files(self) -> list[Path]:
        """All pictures and personas; consent is asked for each."""
        return [source for sources in self.sources for source in sources]

    def assign(self, swapper: Swapper) -> IdentityAssignment:
        """Who becomes whom; raises what reading the pictures raises."""
        assignment = [assign_sources(swapper, sources, self.source_face, self.passphrase) for sources in self.sources]
        return assignment[0] if len(assignment) == 1 else OneForEachRule(assignment)

    def describe(self, digests: Digests) -> dict[str, Any]:
        """What `IdentityAssignment.describe` will say."""
        described = [describe_sources(digests, sources, self.source_face) for sources in self.sources]
        return described[0] if len(described) == 1 else {"people": described}


def parse_map(rules: Sequence[str], source_face: FaceSelector | None = None) -> People:
    """Several people, each with faces of their own, from texts SOURCE=SELECTOR.

    SOURCE is pictures of one person with commas between them, or one persona. The last `=` that a selector follows
    divides, and a comma that belongs to the name of a file that exists does not. Raises `FaceError` for a text that is
    no rule.
    """
    parsed = [_parse_rule(rule) for rule in rules]
    return People(
        tuple(sources for sources, _ in parsed), FaceSelector(tuple(selectors for _, selectors in parsed)), source_face
    )


def _parse_rule(text: str) -> tuple[tuple[Path, ...], Rule]:
    places = [place for place, character in enumerate(text) if character == "="]
    for place in reversed(places):
        try:
            selectors = parse_selectors(text[place + 1 :])
        except FaceError:
            continue
        if text[:place]:
            return split_names(text[:place]), selectors
    raise FaceError(
        f"{text!r} does not say whose face is for whom.", f"Write SOURCE=SELECTOR; a selector is {SELECTOR_HELP}."
    )


def split_names(text: str) -> tuple[Path, ...]:
    """File names with commas between them; a name that exists may hold commas itself."""
    parts, names = text.split(","), []
    while parts:
        joined = [",".join(parts[:count]) for count in range(len(parts), 0, -1)]
        there = next((each for each in joined if Path(each).is_file()), None)
        names.append(Path(parts[0].strip() if there is None else there))
        parts = parts[(there or "").count(",") + 1 :]
    return tuple(names)
