"""Synthetic people: identities that nobody has, for anonymising and for virtual characters (para. 99)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facechange.core import OutputError, PictureError
from facechange.core.files import check_place, plain_errors, write_whole
from facechange.core.stored import build, read_json
from facechange.runtime import Graph, load_graph

LEAST_ALIKE_SHARE = 0.01  # of the draws: a persona is one of those that are least like the person for whom it stands
DRAWS = 4096
NOISE = 128  # what the sampler's graph takes
_KIND = "facechange persona"
SUFFIX = ".persona"
# of nobody: an output of this project's own model, to show a persona on
PORTRAIT = Path(__file__).with_name("portrait.jpg")


@dataclass(frozen=True)
class _Kept:
    """What a persona's file says."""

    kind: str
    name: str
    seed: int
    sampler: str


@dataclass(frozen=True)
class Persona:
    """A person who does not exist."""

    name: str
    seed: int
    sampler: str  # SHA-256 of the graph that drew it
    identity: np.ndarray  # [512] float32, length 1


def draw_persona(
    graph: Graph, seed: int | tuple[int, ...], original: np.ndarray | None = None, others: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """An identity float32 [512] of length 1 that nobody has, decided by the arguments.

    It is no nearer to a training identity than different people are, is among the `LEAST_ALIKE_SHARE` of the draws that
    are least like the identity `original` [512] for which it is to stand, and of all such draws is the least like
    `others` ([512] each).
    """
    allowed = graph.card.metric("cosine_different_faces_p99")
    drawn = graph.run({"noise": np.random.default_rng(seed).standard_normal((DRAWS, NOISE), np.float32)})
    identities = drawn["identity"][drawn["nearest"] <= allowed]  # most draws
    if original is not None:
        alike = identities @ original
        identities = identities[alike <= np.quantile(alike, LEAST_ALIKE_SHARE)]
    likeness = np.max([identities @ other for other in others], axis=0) if len(others) else np.zeros(len(identities))
    return identities[int(np.argmin(likeness))]


def new_persona(name: str, seed: int, graph: Graph | None = None) -> Persona:
    """Draw a persona to keep."""
    graph = graph or load_graph("personas")
    return Persona(name, seed, graph.card.sha256, draw_persona(graph, seed))


def write_persona(persona: Persona, path: Path) -> None:
    """Keep a persona as a small JSON file; raises `OutputError`.

    The file says how to draw the identity again and not the identity, so that nobody's own can pass for a persona's.
    """
    table = asdict(_Kept(_KIND, persona.name, persona.seed, persona.sampler))
    if path.suffix.lower() != SUFFIX:
        raise OutputError(
            f"The name {path.name} does not end in {SUFFIX}.", "By that a persona is known where a source is asked for."
        )
    check_place(path)
    with plain_errors(path):
        write_whole((json.dumps(table, indent=2, ensure_ascii=False) + "\n").encode(), path)


def read_persona(path: Path) -> Persona:
    """Draw the persona that `write_persona` kept; raises `PictureError` where the file is something else or of another
    sampler."""
    try:
        kept = build(_Kept, read_json(path))
        if kept.kind != _KIND or kept.seed < 0:
            raise ValueError("another kind of file")
    except FileNotFoundError:
        raise PictureError(f"There is no persona {path}.", "Make one with: facechange persona new") from None
    except (OSError, ValueError) as error:
        raise PictureError(f"{path} is not a persona ({error}).", "Make one with: facechange persona new") from None
    persona = new_persona(kept.name, kept.seed)
    if persona.sampler != kept.sampler:
        raise PictureError(
            f"{path} was drawn by another release of facechange.", "Its networks see people otherwise: make a new one."
        )
    return persona
