"""Who the faces of a target become: one person, several people, or each somebody who does not exist; frame after frame
the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facechange.consent import Context, Grant, require_grant
from facechange.consent.gate import check_agreed
from facechange.consent.record import Digests
from facechange.core import PictureError
from facechange.faces.select import Chosen, FaceSelector
from facechange.images.reading import PictureLike
from facechange.runtime import Graph, load_graph
from facechange.swap.identities import Identity, is_identity
from facechange.swap.personas import SUFFIX, draw_persona, read_persona
from facechange.swap.swapper import Swapper, blend_identities
from facechange.swap.tracking import FaceTracker

# Two people who look alike to the identity network share a persona, unless that is more like the second one by so much
# of a cosine.
SHARED_MARGIN = 0.1
VERY_SAME = 1 - 1e-6  # the cosine of an identity with itself, but for rounding


class IdentityAssignment(Protocol):
    """Gives faces their new identities."""

    sources: Sequence[Path]  # the files that the identities come from
    recognised: np.ndarray | None  # what the second recognizer makes of the one person that everybody becomes, [128]

    @property
    def hides(self) -> bool:
        """Whether it is done so that nobody is recognised: who a face becomes depends on whose face it is, and some
        have to be covered."""
        ...

    @property
    def everyone(self) -> np.ndarray | None:
        """The identity [512] that every face gets; None where they get different ones."""
        ...

    def identity_for(self, original: np.ndarray | None, rule: int = 0) -> np.ndarray:
        """The identity [512] that a face gets which `rule` of the selection names.

        `original` [512] is whose face it is, and may be None where nobody is hidden.
        """
        ...

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """An identity [512] for `original` [512] where those `tried` did not make the face unlike it."""
        ...

    def describe(self, digests: Digests) -> dict[str, Any]:
        """What the results depend on, as JSON can hold it."""
        ...

    def state(self) -> list[list[float]]:
        """What the next identities depend on, as JSON can hold it; biometric."""
        ...

    def restore(self, state: list[list[float]]) -> None:
        """Go on from a `state`."""
        ...


class FixedIdentity:
    """Every face becomes the one person in `sources`; `source_face` is the selector by which they were found there."""

    hides = False

    def __init__(
        self,
        identity: np.ndarray,
        sources: Sequence[Path],
        source_face: FaceSelector | None = None,
        recognised: np.ndarray | None = None,
    ) -> None:
        self._identity = identity
        self._source_face = source_face
        self.sources = sources
        self.recognised = recognised

    @property
    def everyone(self) -> np.ndarray:
        """The person's identity [512]."""
        return self._identity

    def identity_for(self, original: np.ndarray | None, rule: int = 0) -> np.ndarray:
        """The person's identity [512]."""
        return self._identity

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """The person's identity [512]: there is no other."""
        return self._identity

    def describe(self, digests: Digests) -> dict[str, Any]:
        """The files, by hash, and the selector."""
        return describe_sources(digests, self.sources, self._source_face)

    def state(self) -> list[list[float]]:
        """Nothing."""
        return []

    def restore(self, state: list[list[float]]) -> None:
        """Nothing to go on from."""


class OneForEachRule:
    """The faces that a rule of the selection names become that rule's person, of `people` in the same order."""

    hides = False
    everyone = None
    recognised: np.ndarray | None = None  # they are several

    def __init__(self, people: Sequence[FixedIdentity]) -> None:
        self._people = people
        self.sources: Sequence[Path] = [source for person in people for source in person.sources]

    def identity_for(self, original: np.ndarray | None, rule: int = 0) -> np.ndarray:
        """The identity [512] of that rule's person."""
        return self._people[rule].everyone

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """The last one tried: each face has one person to become."""
        return tried[-1]

    def describe(self, digests: Digests) -> dict[str, Any]:
        """What each person depends on."""
        return {"people": [person.describe(digests) for person in self._people]}

    def state(self) -> list[list[float]]:
        """Nothing."""
        return []

    def restore(self, state: list[list[float]]) -> None:
        """Nothing to go on from."""


class PersonaAssignment:
    """Every person becomes somebody who does not exist: the same person the same one, as far as the identity network
    can tell."""

    hides = True
    sources: Sequence[Path] = ()
    everyone = None
    recognised: np.ndarray | None = None

    def __init__(self, seed: int = 0, graph: Graph | None = None) -> None:
        """`seed` decides who becomes whom; the sampler that ships is used where no `graph` is given."""
        self._graph = graph or load_graph("personas")
        self.seed = seed
        self._same_person = self._graph.card.metric("cosine_different_faces_p99")
        self._originals: list[np.ndarray] = []
        self._personas: list[np.ndarray] = []

    def identity_for(self, original: np.ndarray | None, rule: int = 0) -> np.ndarray:
        """The persona [512] that stands for the person whose identity is `original` [512]."""
        assert original is not None
        cosines = [float(original @ known) for known in self._originals]
        for index in np.argsort(cosines)[::-1]:  # the most alike first
            persona = self._personas[index]
            if cosines[index] > VERY_SAME:
                return persona
            own = float(persona @ self._originals[index])
            if cosines[index] >= self._same_person and float(persona @ original) <= own + SHARED_MARGIN:
                return self._remember(original, persona)
        return self._remember(
            original, draw_persona(self._graph, (self.seed, len(self._originals)), original, self._personas)
        )

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        """Another persona [512] for `original` [512], as unlike it as they come, and not like those `tried`."""
        return draw_persona(self._graph, (self.seed, len(tried)), original, [original, *tried])

    def _remember(self, original: np.ndarray, persona: np.ndarray) -> np.ndarray:
        """`persona`, which `original` keeps whoever is met later."""
        self._originals.append(original)
        self._personas.append(persona)
        return persona

    def describe(self, digests: Digests) -> dict[str, Any]:
        """The seed and the sampler."""
        return {"seed": self.seed, "sampler": self._graph.card.sha256}

    def state(self) -> list[list[float]]:
        """The people met so far, in order."""
        return [original.tolist() for original in self._originals]

    def restore(self, state: list[list[float]]) -> None:
        """Meet those people again, in that order."""
        self._originals, self._personas = [], []
        for original in state:
            self.identity_for(np.array(original, np.float32))


class TrackAssignment:
    """Who each face that is followed becomes, decided when it is first meant and held as long as the same rule names
    it.

    `strength` goes from a face's own identity (0) to the new one (1) and beyond; the tracker has to identify faces
    where it is not 1, and where `assignment` hides who they are.
    """

    def __init__(self, assignment: IdentityAssignment, tracker: FaceTracker, strength: float = 1.0) -> None:
        self._assignment = assignment
        self._tracker = tracker
        self._strength = strength
        self._by_original = assignment.hides or strength != 1.0
        self._originals: dict[int, list[float]] = {}  # by number, where it matters whose face it is
        self._rules: dict[int, int] = {}  # by number, the last that named it

    @property
    def hides(self) -> bool:
        """Whether it is done so that nobody is recognised."""
        return self._assignment.hides

    def note(self, number: int, rule: int = 0) -> None:
        """Remember which rule names the face `number`, and who it is, while it is in sight."""
        self._rules[number] = rule
        if self._by_original and number not in self._originals:
            self._originals[number] = self._tracker.identity_of(number).tolist()
            self.identity_of(number)  # decided now, in the order in which people are met, which a stop does not change

    def identity_of(self, number: int) -> np.ndarray:
        """The identity [512] that the face `number` gets."""
        original = np.array(self._originals[number], np.float32) if self._by_original else None
        identity = self._assignment.identity_for(original, self._rules[number])
        return (
            identity
            if original is None or self._strength == 1.0
            else blend_identities(original, identity, self._strength)
        )

    def original_of(self, number: int) -> np.ndarray | None:
        """Who the face `number` is: [512]; None where nobody asked."""
        return np.array(self._originals[number], np.float32) if number in self._originals else None

    def state(self) -> dict[str, Any]:
        """What the next identities depend on, as JSON can hold it; biometric."""
        originals = {str(number): vector for number, vector in self._originals.items()}
        return {
            "met": self._assignment.state(),
            "originals": originals,
            "rules": {str(number): rule for number, rule in self._rules.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._assignment.restore(state["met"])
        self._originals = {int(number): vector for number, vector in state["originals"].items()}
        self._rules = {int(number): rule for number, rule in state["rules"].items()}


def assign_identities(
    swapper: Swapper, assignment: IdentityAssignment, picture: PictureLike, chosen: Chosen
) -> np.ndarray:
    """The identity [N, 512] that each of the `chosen` faces of `picture` gets."""
    originals = [swapper.identify(picture, face=face) if assignment.hides else None for face in chosen.faces]
    return np.stack(
        [assignment.identity_for(original, rule) for original, rule in zip(originals, chosen.rules, strict=True)]
    )


def assign_sources(
    swapper: Swapper, sources: Sequence[Path], source_face: FaceSelector | None = None, passphrase: str = ""
) -> FixedIdentity:
    """Every face becomes the person in `sources`: pictures, or a persona or an identity that was kept. Raises what
    reading them raises.

    `passphrase` opens an identity that is sealed.
    `source_face` is the selector of the person's face; None means the largest, as `Swapper.find_source` says.
    """
    if not are_kept(sources):
        seen = swapper.read(*sources, face=source_face)
        return FixedIdentity(seen[0], sources, source_face, seen[-1] if len(seen) > 1 else None)
    if len(sources) > 1:
        raise PictureError("Several personas or identities are not one person.", "Give one.")
    if is_identity(sources[0]):
        kept = Identity.load(sources[0], passphrase)
        if kept.network != swapper.comparer.network:
            raise PictureError(
                f"{sources[0]} was read by other networks than these.", "Make it anew from the pictures."
            )
        return FixedIdentity(kept.vector, sources, None, kept.recognised)
    return FixedIdentity(read_persona(sources[0]).identity, sources)


def read_identity(
    swapper: Swapper, grant: Grant, pictures: Sequence[Path], name: str, face: FaceSelector | None = None
) -> Identity:
    """The identity of one person, averaged over `pictures`, that may be kept: `grant` is leave to use them as sources.

    `face` is the selector of the person's face, as in `assign_sources`. Raises `ConsentError` where a picture was
    changed since, and what reading the pictures raises.
    """
    check_agreed(grant, (), pictures)
    vector, *second = swapper.read(*pictures, face=face)
    return Identity(name, vector, second[0] if second else None, swapper.comparer.network, len(pictures), grant.id)


def describe_sources(
    digests: Digests, sources: Sequence[Path], source_face: FaceSelector | None = None
) -> dict[str, Any]:
    """What results depend on where faces become the person in `sources`; raises `PictureError` where one cannot be
    read."""
    described: dict[str, Any] = {"sources": [digests.of(source) for source in sources]}
    if source_face is None or are_kept(sources):
        return described
    return described | describe_selection(digests, source_face, "source_face")


def describe_selection(digests: Digests, selection: FaceSelector, name: str = "face") -> dict[str, Any]:
    """What results depend on in a selection, by its `name`; pictures count by what is in them. Raises `PictureError` as
    above."""
    rules = [[str(selector) if selector.like is None else "like" for selector in rule] for rule in selection.rules]
    return {
        name: {"rules": rules, "like": [digests.of(path) for path in selection.likes], "all_but": selection.all_but}
    }


def grant_change(
    context: Context,
    consent: str | None,
    sources: Sequence[Path],
    targets: Sequence[Path],
    purpose: str = "",
    persona: bool | None = None,
) -> Grant:
    """`consent.require_grant` for `sources` of one person or several, some of which may be kept personas, who need not
    agree.

    `persona` says that the identities are synthetic people's; by default that is so where all sources are personas.
    """
    pictures = [source for source in sources if not is_persona(source)]
    synthetic = bool(sources) and not pictures if persona is None else persona
    kept = [source for source in sources if is_persona(source)]
    return require_grant(context, consent, sources if synthetic else pictures, targets, purpose, synthetic, kept)


def is_persona(source: Path) -> bool:
    """Whether a source is a kept persona rather than a picture."""
    return source.suffix.lower() == SUFFIX


def are_kept(sources: Sequence[Path]) -> bool:
    """Whether `sources` of one person are a kept persona or identity; raises `PictureError` where they are some of
    each."""
    kinds = {is_persona(source) or is_identity(source) for source in sources}
    if len(kinds) > 1:
        kept = "A persona" if any(map(is_persona, sources)) else "A kept identity"
        raise PictureError(
            f"{kept} and pictures of a person are not one person.", "Give the one or the other as the source."
        )
    return kinds == {True}
