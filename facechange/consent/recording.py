"""Keeping the ledger by hand: recording an agreement, and taking one back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

from facechange.consent.context import Context
from facechange.consent.gate import Grant, check_sentence, clean_statement
from facechange.consent.ledger import Line
from facechange.consent.record import BASES, Record, Revocation, name_recorder, new_id
from facechange.consent.status import Statuses
from facechange.core import ConsentError, clean_line

Role = Literal["source", "target", "both"]
RECORDED_BASES = tuple(basis for basis in BASES if basis not in ("statement", "evaluation"))


def record_consent(
    context: Context,
    pictures: Sequence[Path],
    *,
    who: str,
    role: Role,
    basis: str,
    purpose: str = "",
    until: date | None = None,
    release: Path | None = None,
    statement: str = "",
    recorded_by: str = "",
) -> Record:
    """Record that `who` (a label, as the operator knows the person) agreed to the use of `pictures` in this role.

    `basis` is one of RECORDED_BASES; a written `release` is kept by its hash. `until` is the last day, `purpose` empty
    for any, `statement` is stored in results. Raises `ConsentError` for what makes no record, `PictureError` for files
    that cannot be read.
    """
    if not any(character.isalnum() for character in who):
        raise ConsentError(
            "A record needs a label that says who agreed.", 'Give one that you will understand: --who "Ann Example".'
        )
    if basis not in RECORDED_BASES:
        raise ConsentError(f"Consent is not given by {basis!r}.", f"Choose one of {', '.join(RECORDED_BASES)}.")
    if (basis == "release") != (release is not None):
        raise ConsentError(
            "A written release and its file belong together.", "Give both: --basis release --release FILE."
        )
    if not pictures:
        raise ConsentError("A record speaks for certain pictures, and none was given.", "Name them.")
    digests = tuple(sorted({context.digests.of(path) for path in pictures}))
    release_digest = context.digests.of(release) if release else ""

    def make(lines: list[Line], now: str) -> Record:
        if until and until.isoformat() < now[:10]:
            raise ConsentError(f"The last day {until} is over.", "Give a later one, or none.")
        return Record(
            id=new_id(),
            who=clean_statement(who),
            basis=basis,
            sources=digests if role in ("source", "both") else (),
            targets=digests if role in ("target", "both") else (),
            purpose=clean_line(purpose),
            until=until.isoformat() if until else "",
            release=release_digest,
            statement=check_sentence(clean_statement(statement)) if statement else "",
            rests_on=(),
            added=True,
            recorded_by=clean_line(recorded_by) or name_recorder(),
            recorded_at=now,
        )

    entry = context.ledger.add(make).entry
    assert isinstance(entry, Record)
    return entry


def record_identity(grant: Grant, path: Path) -> Record:
    """Record that the identity kept at `path`, read from the sources of `grant`, may be a source; it rests on the
    record of `grant`.

    So the file's bytes may be used for what, and for as long as, its pictures may. Raises `ConsentError`,
    `PictureError`.
    """
    digest = grant.context.digests.of(path)

    def make(lines: list[Line], now: str) -> Record:
        below = Statuses(lines, now).find(grant.record_hash)
        if below is None or not below.in_force:
            raise ConsentError(f"The consent {grant.id} {below.reason if below else 'is not in this ledger'}.")
        return replace(
            below.record,
            id=new_id(),
            sources=(digest,),
            targets=(),
            release="",
            rests_on=(grant.id,),
            recorded_by=name_recorder(),
            recorded_at=now,
        )

    entry = grant.context.ledger.add(make).entry
    assert isinstance(entry, Record)
    return entry


def revoke_consent(context: Context, reference: str, reason: str = "", recorded_by: str = "") -> Revocation:
    """Take back the record with this id, and with it all that rests on it, from now on; results made before stay as
    they are.

    Raises `ConsentError` where there is no such record, or it was revoked before.
    """

    def make(lines: list[Line], now: str) -> Revocation:
        status = Statuses(lines, now).find(reference)
        if status is None:
            raise ConsentError(
                f"There is no record of consent {reference}.", "facechange consent list shows those there are."
            )
        if status.state == "revoked":
            raise ConsentError(f"The consent {reference} {status.reason} already.")
        return Revocation(
            new_id(), status.record.id, clean_line(reason), clean_line(recorded_by) or name_recorder(), now
        )

    entry = context.ledger.add(make).entry
    assert isinstance(entry, Revocation)
    return entry
