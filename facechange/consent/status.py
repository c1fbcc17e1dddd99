"""Whether a record of consent holds: neither revoked nor past its last day, and all that it rests on likewise."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from facechange.consent.ledger import Ledger, Line
from facechange.consent.record import Record, Revocation

_HASH = re.compile("[0-9a-f]{64}")
State = Literal["in force", "expired", "revoked"]


@dataclass(frozen=True)
class Status:
    """A record, its line, and whether it holds at the time that was asked for."""

    line: Line
    record: Record
    state: State
    reason: str  # why it does not hold, as the end of a sentence; empty where it does

    @property
    def in_force(self) -> bool:
        """Whether a change may rest on it."""
        return self.state == "in force"


@dataclass(frozen=True)
class Statuses:
    """Every record of a ledger's lines as it stands at one time, looked up without reading what has nothing to do with
    it."""

    lines: list[Line]
    now: str  # of `Ledger.now`

    def find(self, reference: str) -> Status | None:
        """The record with this number, or on the line with this hash."""
        return self._find(reference, self.lines)

    def naming(self, pictures: Collection[str]) -> Iterator[Status]:
        """The records in which any of these pictures, by their SHA-256, is a source or a target; oldest first."""
        wanted = frozenset(pictures)
        for line in self.lines:
            entry = None if wanted.isdisjoint(_HASH.findall(line.body)) else line.entry
            if isinstance(entry, Record) and not wanted.isdisjoint((*entry.sources, *entry.targets)):
                yield self._status_of(line, entry)

    def all(self) -> Iterator[Status]:
        """Every record, oldest first."""
        for line in self.lines:
            if isinstance(entry := line.entry, Record):
                yield self._status_of(line, entry)

    @cached_property
    def _revocations(self) -> dict[str, Revocation]:
        entries = (
            line.entry
            for line in self.lines
            if '"kind": "revocation"' in line.body or '"kind": "withdrawal"' in line.body
        )
        return {entry.revokes: entry for entry in entries if isinstance(entry, Revocation)}

    def _find(self, reference: str, lines: list[Line]) -> Status | None:
        number = reference.lower()
        for line in lines:
            if line.hash == number or number in line.body:
                entry = line.entry
                if isinstance(entry, Record) and number in (entry.id, line.hash):
                    return self._status_of(line, entry)
        return None

    def _status_of(self, line: Line, record: Record) -> Status:
        if revocation := self._revocations.get(record.id):
            because = f" ({revocation.reason})" if revocation.reason else ""
            return Status(line, record, "revoked", f"was revoked on {revocation.recorded_at[:10]}{because}")
        if record.until and self.now[:10] > record.until:
            return Status(line, record, "expired", f"ended on {record.until}")
        for reference in record.rests_on:
            below = self._find(reference, self.lines[: line.number - 1])
            if below is None:
                return Status(
                    line, record, "revoked", f"rests on {reference}, which no older line of the ledger records"
                )
            if not below.in_force:
                return Status(line, record, below.state, f"rests on {reference}, which {below.reason}")
        return Status(line, record, "in force", "")


def read_statuses(ledger: Ledger) -> Statuses:
    """All records as they stand now; raises `ConsentError` for a ledger that was altered or cannot be read."""
    lines = ledger.read()
    return Statuses(lines, ledger.now(lines))


def look_up(ledger: Ledger, reference: str) -> Status | None:
    """The record with this number, or on the line with this hash (`Grant.record_hash`), as it stands now; None where
    there is none.

    Raises as `read_statuses` does.
    """
    return read_statuses(ledger).find(reference)
