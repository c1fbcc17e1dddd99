"""Choose faces by place, size, number or person: pure, so that a command line and an interface agree."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facechange.core import ContestedFaceError, Face, FaceError

SELECTOR_WORDS = ("all", "largest", "left", "right", "centre")
SELECTOR_HELP = "all, largest, left, right, centre, numbers counted from the left (2, or 1,3), or like:PICTURE"


@dataclass(frozen=True)
class Selector:
    """One way to name a face: a word of `SELECTOR_WORDS`, a number from 1 (leftmost), or a picture of the person."""

    word: str = ""
    number: int = 0
    like: Path | None = None

    def __str__(self) -> str:
        return self.word or (str(self.number) if self.like is None else f"like:{self.like}")


ALL = Selector("all")
Rule = tuple[Selector, ...]  # names every face that one of its selectors names


@dataclass(frozen=True)
class FaceSelector:
    """Which faces are meant, parsed once from what `--face`, `--only`, `--all-but` and `--map` say.

    Those that `rules` name, each face by one of them, or with `all_but` those that none names.

    Beside other rules `all` names the faces that they leave. Raises `FaceError` where two rules have a selector in
    common.
    """

    rules: tuple[Rule, ...] = ((ALL,),)
    all_but: bool = False

    def __post_init__(self) -> None:
        selectors = [selector for rule in self.rules for selector in dict.fromkeys(rule)]
        for selector in selectors:
            if selectors.count(selector) > 1:
                raise FaceError(f"Two rules name the same face: {selector}.", "Give each person a face of their own.")

    @classmethod
    def parse(cls, *texts: str, all_but: bool = False) -> FaceSelector:
        """The faces that any of `texts` names, or all but those; raises `FaceError`."""
        return cls((tuple(selector for text in texts for selector in parse_selectors(text)),), all_but)

    @property
    def likes(self) -> list[Path]:
        """The pictures of people in it."""
        return [selector.like for rule in self.rules for selector in rule if selector.like is not None]


@dataclass(frozen=True)
class Chosen:
    """The faces of a picture that a selection means, left to right."""

    faces: list[Face]
    rules: list[int]  # for each of them the rule that names it
    unmet: dict[str, FaceError]  # for a selector that names nobody, where others do, why


def parse_selectors(text: str) -> Rule:
    """The selectors of a text: a word, `like:PICTURE`, or numbers with commas between them. Raises `FaceError` for
    anything else."""
    word = text.strip().lower()
    if word in SELECTOR_WORDS:
        return (Selector(word),)
    if re.fullmatch(r"[0-9]+( *, *[0-9]+)*", word):
        numbers = [int(part) for part in word.split(",")]
        if 0 not in numbers:
            return tuple(Selector(number=number) for number in numbers)
    if word.startswith("like:") and word != "like:":
        return (Selector(like=Path(text.strip()[len("like:") :])),)
    raise FaceError(f"No face is called {text!r}.", f"Use {SELECTOR_HELP}.")


EVERY_FACE = FaceSelector()
LARGEST_FACE = FaceSelector(((Selector("largest"),),))


def as_selector(face: FaceSelector | str) -> FaceSelector:
    """What a caller of the public functions may write, parsed; raises `FaceError`."""
    return FaceSelector.parse(face) if isinstance(face, str) else face


def left_to_right(faces: Sequence[Face]) -> list[Face]:
    """The faces in the order that their numbers follow: by the middle of the box."""
    return sorted(faces, key=lambda face: face.box[0] + face.box[2] / 2)


def choose_faces(
    faces: list[Face],
    selection: FaceSelector,
    picture_size: tuple[int, int],
    cosines: Mapping[Path, np.ndarray],
    least: float,
) -> Chosen:
    """The faces that `selection` means of `faces`, all there are from left to right in a picture of `picture_size`
    (width, height).

    `cosines` [N] says for each picture of a person how like it each face is; below `least` it is another person's.
    Raises `FaceError` where no face is meant and `ContestedFaceError` where two rules name one face.
    """
    if not faces:
        raise FaceError("No face was found.", "Use a sharper or larger picture of a face that is not covered.")
    named = match_people(selection.rules, cosines, least)
    unmet = {}
    for selector in (
        selector for rule in selection.rules for selector in rule if selector not in named and selector != ALL
    ):
        try:
            named[selector] = select_place(faces, selector, picture_size)
        except FaceError as error:
            unmet[str(selector)] = error
    by_face = rules_by_face(selection.rules, named, range(len(faces)))
    if selection.all_but:
        chosen = [index for index in range(len(faces)) if index not in by_face]
        if not chosen:
            raise FaceError("Every face is one that is to stay.", "Say with --all-but whose, or use another picture.")
        return Chosen([faces[index] for index in chosen], [0] * len(chosen), unmet)
    for index, rules in by_face.items():
        if len(rules) > 1:
            one, other = ("or ".join(map(str, selection.rules[rule])) for rule in rules[:2])
            message = f"Face {index + 1} of {len(faces)} from the left is named by two rules: {one} and {other}."
            raise ContestedFaceError(message, "Name each face by its number or by like:PICTURE.")
    if not by_face:
        raise next(iter(unmet.values()))
    return Chosen([faces[index] for index in sorted(by_face)], [by_face[index][0] for index in sorted(by_face)], unmet)


def select_place(faces: Sequence[Face], selector: Selector, picture_size: tuple[int, int]) -> int:
    """Which of `faces`, left to right and at least one, a word but `all` or a number names; raises `FaceError` where
    none is."""
    if selector.like is not None:
        raise FaceError(
            f"No face is like the one in {selector.like.name}.",
            "Choose it by number, or use another picture of the person.",
        )
    indices = range(len(faces))
    match selector.word:
        case "largest":
            return max(indices, key=lambda index: faces[index].box[2] * faces[index].box[3])
        case "left":
            return 0
        case "right":
            return len(faces) - 1
        case "centre":
            middle = np.array(picture_size) / 2
            return min(indices, key=lambda index: float(np.hypot(*(_centre(faces[index]) - middle))))
    if selector.number > len(faces):
        raise FaceError(
            f"There is no face {selector.number}; {len(faces)} found.",
            f"Faces are numbered 1 to {len(faces)} from the left.",
        )
    return selector.number - 1


def match_people(rules: Sequence[Rule], cosines: Mapping[Path, np.ndarray], least: float) -> dict[Selector, int]:
    """Which face each `like:` of `rules` names, if any: the likest pair first, and no face for two rules.

    `cosines` [N] are a picture's to each face; `least` is the smallest that counts.
    """
    pairs = [
        (float(cosine), number, selector, face)
        for number, rule in enumerate(rules)
        for selector in rule
        if selector.like is not None
        for face, cosine in enumerate(cosines[selector.like])
        if cosine >= least
    ]
    found: dict[Selector, int] = {}
    taken: dict[int, int] = {}  # face: rule
    for _, number, selector, face in sorted(pairs, key=lambda pair: -pair[0]):
        if selector not in found and taken.setdefault(face, number) == number:
            found[selector] = face
    return found


def rules_by_face(rules: Sequence[Rule], named: Mapping[Selector, int], faces: Collection[int]) -> dict[int, list[int]]:
    """For each face that is named, the rules that name it in their order. `named` is whom selectors name; `all` names
    the rest."""
    by_face: dict[int, list[int]] = {}
    for number, rule in enumerate(rules):
        for face in dict.fromkeys(named[selector] for selector in rule if selector in named):
            by_face.setdefault(face, []).append(number)
    for number, rule in enumerate(rules):
        if ALL in rule:
            for face in faces:
                by_face.setdefault(face, [number])
    return by_face


def _centre(face: Face) -> np.ndarray:
    return np.array([face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2])
