"""Who the faces of a target become: all of them one person, or each person somebody who does not exist; frame after frame the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facechange.change.changer import Changer, blend_identities
from facechange.change.personas import SUFFIX, draw_persona, read_persona
from facechange.change.tracking import FaceTracker
from facechange.core import PictureError, hash_file
from facechange.runtime import Graph, load_graph

# Two people who look alike to the identity network share a persona, unless that persona is too like the second one.
LARGEST_COSINE_TO_SHARE = 0.1
VERY_SAME = 1 - 1e-6  # the cosine of an identity with itself, but for rounding


class Casting(Protocol):
    """Gives faces their new identities."""

    sources: Sequence[Path]  # the files that the identities come from
    hides: bool  # whether it is done so that nobody is recognised: what cannot be changed then has to be covered
    recognised: np.ndarray | None  # what the second recogniser makes of the one person that everybody becomes, [128]

    @property
    def everyone(self) -> np.ndarray | None:
        """The identity [512] that every face gets; None where it depends on whose face it is."""
        ...

    def identity_for(self, original: np.ndarray) -> np.ndarray:
        """The identity [512] that the person whose identity is `original` [512] gets."""
        ...

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """An identity [512] for `original` [512] where those `tried` did not make the face unlike it."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the results depend on, as JSON can hold it."""
        ...

    def state(self) -> list[list[float]]:
        """What the next identities depend on, as JSON can hold it; biometric."""
        ...

    def restore(self, state: list[list[float]]) -> None:
        """Go on from a `state`."""
        ...


class OneForAll:
    """Every face becomes the one person in `sources`."""

    hides = False

    def __init__(self, identity: np.ndarray, sources: Sequence[Path], recognised: np.ndarray | None = None) -> None:
        self._identity = identity
        self.sources = sources
        self.recognised = recognised

    @property
    def everyone(self) -> np.ndarray:
        """The person's identity [512]."""
        return self._identity

    def identity_for(self, original: np.ndarray) -> np.ndarray:
        """The person's identity [512]."""
        return self._identity

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """The person's identity [512]: there is no other."""
        return self._identity

    def describe(self) -> dict[str, Any]:
        """The files, by hash."""
        return describe_sources(self.sources)

    def state(self) -> list[list[float]]:
        """Nothing."""
        return []

    def restore(self, state: list[list[float]]) -> None:
        """Nothing to go on from."""


class PersonaCast:
    """Every person becomes somebody who does not exist: the same person the same one, as far as the identity network can tell."""

    sources: Sequence[Path] = ()
    everyone = None
    hides = True
    recognised: np.ndarray | None = None

    def __init__(self, seed: int = 0, graph: Graph | None = None) -> None:
        """`seed` decides who becomes whom; the sampler that ships is used where no `graph` is given."""
        self._graph = graph or load_graph("personas")
        self._seed = seed
        self._same_person = float(self._graph.card.metrics["cosine_different_faces_p99"]["mean"])
        self._originals: list[np.ndarray] = []
        self._personas: list[np.ndarray] = []

    def identity_for(self, original: np.ndarray) -> np.ndarray:
        """The persona [512] that stands for the person whose identity is `original` [512]."""
        cosines = [float(original @ known) for known in self._originals]
        for index in np.argsort(cosines)[::-1]:  # the most alike first
            persona = self._personas[index]
            if cosines[index] > VERY_SAME:
                return persona
            if cosines[index] >= self._same_person and float(persona @ original) <= LARGEST_COSINE_TO_SHARE:
                return self._remember(original, persona)
        return self._remember(original, draw_persona(self._graph, (self._seed, len(self._originals)), original, self._personas))

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """Another persona [512] for `original` [512], as unlike it as they come, and not like those `tried`."""
        return draw_persona(self._graph, (self._seed, len(tried)), original, [original, *tried])

    def _remember(self, original: np.ndarray, persona: np.ndarray) -> np.ndarray:
        """`persona`, which `original` keeps whoever is met later."""
        self._originals.append(original)
        self._personas.append(persona)
        return persona

    def describe(self) -> dict[str, Any]:
        """The seed and the sampler."""
        return {"seed": self._seed, "sampler": self._graph.card.sha256}

    def state(self) -> list[list[float]]:
        """The people met so far, in order."""
        return [original.tolist() for original in self._originals]

    def restore(self, state: list[list[float]]) -> None:
        """Meet those people again, in that order."""
        self._originals, self._personas = [], []
        for original in state:
            self.identity_for(np.array(original, np.float32))


class TrackCasting:
    """Who each face that is followed becomes, decided when it is first meant and held as long as it is followed.

    `strength` goes from a face's own identity (0) to the new one (1) and beyond; the tracker has to identify faces where it is
    not 1, and where `casting` depends on whose face it is.
    """

    def __init__(self, casting: Casting, tracker: FaceTracker, strength: float = 1.0) -> None:
        self._casting = casting
        self._tracker = tracker
        self._strength = strength
        self._by_original = casting.everyone is None or strength != 1.0
        self._originals: dict[int, list[float]] = {}  # by number, where it matters whose face it is

    @property
    def hides(self) -> bool:
        """Whether it is done so that nobody is recognised."""
        return self._casting.hides

    def note(self, number: int) -> None:
        """Remember who the face `number` is while it is in sight."""
        if self._by_original and number not in self._originals:
            self._originals[number] = self._tracker.identity_of(number).tolist()
            self.identity_of(number)  # decided now, in the order in which people are met, which a stop does not change

    def identity_of(self, number: int) -> np.ndarray:
        """The identity [512] that the face `number` gets."""
        everyone = self._casting.everyone
        if not self._by_original:
            assert everyone is not None
            return everyone
        original = np.array(self._originals[number], np.float32)
        identity = self._casting.identity_for(original)
        return identity if self._strength == 1.0 else blend_identities(original, identity, self._strength)

    def original_of(self, number: int) -> np.ndarray | None:
        """Who the face `number` is: [512]; None where nobody asked."""
        return np.array(self._originals[number], np.float32) if number in self._originals else None

    def state(self) -> dict[str, Any]:
        """What the next identities depend on, as JSON can hold it; biometric."""
        return {"met": self._casting.state(), "originals": {str(number): vector for number, vector in self._originals.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._casting.restore(state["met"])
        self._originals = {int(number): vector for number, vector in state["originals"].items()}


def cast_sources(changer: Changer, sources: Sequence[Path]) -> OneForAll:
    """Every face becomes the person in `sources`: pictures, or a persona that was kept. Raises what reading them raises."""
    if not are_personas(sources):
        seen = changer.read(*sources)
        return OneForAll(seen[0], sources, seen[-1] if len(seen) > 1 else None)
    if len(sources) > 1:
        raise PictureError("Several personas are not one person.", "Give one.")
    return OneForAll(read_persona(sources[0]).identity, sources)


def describe_sources(sources: Sequence[Path]) -> dict[str, Any]:
    """What results depend on where every face becomes the person in `sources`; raises `PictureError` where one cannot be read."""
    try:
        return {"sources": [hash_file(path) for path in sources]}
    except OSError as error:
        raise PictureError(f"{error.filename} cannot be read: {error.strerror}.", "Check the name and the folder.") from None


def are_personas(sources: Sequence[Path]) -> bool:
    """Whether `sources` are kept personas rather than pictures; raises `PictureError` where they are some of each."""
    kinds = {source.suffix.lower() == SUFFIX for source in sources}
    if len(kinds) > 1:
        raise PictureError("A persona and pictures of a person are not one person.", "Give the one or the other as the source.")
    return kinds == {True}
