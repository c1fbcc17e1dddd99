"""What `require_grant` hands to the work, and the work to `publish`: proof that consent was looked at, and where it is recorded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """Leave to make one change. Only `trust/consent.py` makes one, after it has checked the pictures against the ledger."""

    id: str  # of the record in the ledger, "fc-" and eight letters or digits
    statement: str  # one line, stored in the result; free of labels where a record says who agreed
    basis: str  # how consent was given: one of `record.WAYS`
    record_hash: str  # SHA-256, hexadecimal, of the record's line in the ledger
    persona: bool = False  # the identity is a synthetic person's
