"""Whether a record of consent holds: neither withdrawn nor past its last day, and all that it rests on likewise."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from facechange.trust.ledger import Ledger, Line
from facechange.trust.record import Record, Withdrawal

_HASH = re.compile("[0-9a-f]{64}")
State = Literal["in force", "expired", "withdrawn"]


@dataclass(frozen=True)
class Standing:
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
class Standings:
    """Every record of a ledger's lines as it stands at one time, looked up without reading what has nothing to do with it."""

    lines: list[Line]
    now: str  # of `Ledger.now`

    def find(self, reference: str) -> Standing | None:
        """The record with this number, or on the line with this hash."""
        return self._find(reference, self.lines)

    def naming(self, pictures: Collection[str]) -> Iterator[Standing]:
        """The records in which any of these pictures, by their SHA-256, is a source or a target; oldest first."""
        wanted = frozenset(pictures)
        for line in self.lines:
            entry = None if wanted.isdisjoint(_HASH.findall(line.body)) else line.entry
            if isinstance(entry, Record) and not wanted.isdisjoint((*entry.sources, *entry.targets)):
                yield self._judge(line, entry)

    def all(self) -> Iterator[Standing]:
        """Every record, oldest first."""
        for line in self.lines:
            if isinstance(entry := line.entry, Record):
                yield self._judge(line, entry)

    @cached_property
    def _withdrawals(self) -> dict[str, Withdrawal]:
        entries = (line.entry for line in self.lines if '"kind": "withdrawal"' in line.body)
        return {entry.withdraws: entry for entry in entries if isinstance(entry, Withdrawal)}

    def _find(self, reference: str, lines: list[Line]) -> Standing | None:
        number = reference.lower()
        for line in lines:
            if line.hash == number or number in line.body:
                entry = line.entry
                if isinstance(entry, Record) and number in (entry.id, line.hash):
                    return self._judge(line, entry)
        return None

    def _judge(self, line: Line, record: Record) -> Standing:
        if withdrawal := self._withdrawals.get(record.id):
            because = f" ({withdrawal.reason})" if withdrawal.reason else ""
            return Standing(line, record, "withdrawn", f"was withdrawn on {withdrawal.recorded_at[:10]}{because}")
        if record.until and self.now[:10] > record.until:
            return Standing(line, record, "expired", f"ended on {record.until}")
        for reference in record.rests_on:
            below = self._find(reference, self.lines[: line.number - 1])
            if below is None:
                return Standing(line, record, "withdrawn", f"rests on {reference}, which no older line of the ledger records")
            if not below.in_force:
                return Standing(line, record, below.state, f"rests on {reference}, which {below.reason}")
        return Standing(line, record, "in force", "")


def read_standings(ledger: Ledger) -> Standings:
    """All records as they stand now; raises `ConsentError` for a ledger that was altered or cannot be read."""
    lines = ledger.read()
    return Standings(lines, ledger.now(lines))


def look_up(ledger: Ledger, reference: str) -> Standing | None:
    """The record with this number, or on the line with this hash (`Grant.record_hash`), as it stands now; None where there is none.

    Raises as `read_standings` does.
    """
    return read_standings(ledger).find(reference)
