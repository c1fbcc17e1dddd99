"""What a content credential says of a change (C2PA 2.x): which model, on whose consent, from what, marked how. Plain
data, no signing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facechange.consent.gate import Grant
from facechange.core import ModelCard
from facechange.provenance.statement import digital_source_type, software_version

CHANGE_LABEL = "facechange.swap"  # our own assertion
WATERMARK_ALGORITHM = "facechange.watermark.1"
TARGET, SOURCE = "target", "source"


@dataclass(frozen=True)
class Publication:
    """Everything that the credentials of one published file are made of."""

    grant: Grant
    card: ModelCard
    targets: tuple[Path, ...] = ()  # what was changed
    sources: tuple[Path, ...] = ()  # whose identity it was given
    identifier: int | None = None  # of the watermark in it; None where there is none
    persona: bool = False  # the new face is nobody's
    nameless: bool = False  # what the target's own manifests say, which can be names, does not go on


@dataclass(frozen=True)
class Ingredient:
    """A file that the result was made of: its role, its hash, and the name by which actions refer to it."""

    role: str  # TARGET or SOURCE
    path: Path
    sha256: str
    name: str

    def describe(self) -> dict[str, Any]:
        """The ingredient for C2PA. Neither the picture nor its file's name, which may be a person's, is in it."""
        relationship = "inputTo" if self.role == SOURCE else "parentOf" if self.name == f"{TARGET}-1" else "componentOf"
        return {
            "label": self.name,
            "title": self.name,
            "relationship": relationship,
            "instance_id": f"urn:sha256:{self.sha256}",
        }


def list_ingredients(publication: Publication) -> list[Ingredient]:
    """Targets, then sources, hashed; the first target is what the result was edited from."""
    return [
        Ingredient(role, path, publication.grant.context.digests.of(path), f"{role}-{number}")
        for role, paths in ((TARGET, publication.targets), (SOURCE, publication.sources))
        for number, path in enumerate(paths, 1)
    ]


def identifier_text(identifier: int) -> str:
    """A watermark's identifier as it is written everywhere: ten hexadecimal digits."""
    return f"{identifier:010x}"


def describe_change(
    publication: Publication,
    ingredients: Sequence[Ingredient],
    redactions: Sequence[str] = (),
    when: datetime | None = None,
) -> dict[str, Any]:
    """The manifest definition of c2pa-python, without its ingredients.

    `redactions` are addresses of assertions in earlier manifests that are to go. Of the consent only the record's hash
    and identifier are in it, not its words: credentials travel with every later edit and cannot be called back, and
    words can name people.
    """
    assertions = [
        {
            "label": "c2pa.actions",
            "data": {"actions": _actions(publication, ingredients, redactions, when or datetime.now(UTC))},
        },
        {"label": CHANGE_LABEL, "kind": "Json", "data": _change(publication, ingredients)},
    ]
    if publication.identifier is not None:
        block = {"scope": {}, "value": identifier_text(publication.identifier)}
        assertions.append({"label": "c2pa.soft-binding", "data": {"alg": WATERMARK_ALGORITHM, "blocks": [block]}})
    return {
        "claim_generator_info": [dict(zip(("name", "version"), software_version(), strict=True))],
        # stated by the signer, not gathered
        "assertions": [{**assertion, "created": True} for assertion in assertions],
        "redactions": list(redactions),
    }


def _actions(
    publication: Publication, ingredients: Sequence[Ingredient], redactions: Sequence[str], when: datetime
) -> list[dict[str, Any]]:
    """What happened, in order. C2PA wants the first action to open a parent or to create something without one."""
    source_type = digital_source_type(publication.persona)
    moment = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    names = [ingredient.name for ingredient in ingredients]
    parents = names[:1] if publication.targets else []
    change: dict[str, Any] = {
        "action": "c2pa.edited" if parents else "c2pa.created",
        "when": moment,
        "softwareAgent": {"name": publication.card.name, "version": publication.card.version},
        "digitalSourceType": source_type,
        "description": "The identity of a face was changed by a trained model.",
    }
    if others := names[len(parents) :]:
        change["parameters"] = {"ingredientIds": others}
    actions = [{"action": "c2pa.opened", "when": moment, "parameters": {"ingredientIds": parents}}] if parents else []
    actions.append(change)
    if publication.identifier is not None:
        actions.append({"action": "c2pa.watermarked.bound", "when": moment})
    reason = "c2pa.PII.present"
    actions.extend(
        {"action": "c2pa.redacted", "when": moment, "reason": reason, "parameters": {"redacted": uri}}
        for uri in redactions
    )
    return actions


def _change(publication: Publication, ingredients: Sequence[Ingredient]) -> dict[str, Any]:
    grant, card = publication.grant, publication.card
    return {
        "model": {"name": card.name, "version": card.version, "sha256": card.sha256},
        "consent": {"id": grant.id, "basis": grant.basis, "record_sha256": grant.record_hash},
        "ingredients": [{"role": ingredient.role, "sha256": ingredient.sha256} for ingredient in ingredients],
        "persona": publication.persona,
    }
