"""The ledger of consent: one SQLite file to which lines are only added, each bound to all before it by a hash."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from facechange.consent.record import Record, Revocation, as_table, from_table
from facechange.core import ConsentError
from facechange.core.clock import Clock, utc_now
from facechange.core.files import make_folder, reach_disk
from facechange.core.stored import parse_json

NO_HASH = "0" * 64  # what the first line is bound to
WAIT_SECONDS = 30.0  # for other processes that write
CLOCK_TOLERANCE = timedelta(days=1)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (number INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON lines BEGIN SELECT RAISE(ABORT, 'lines are never altered'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON lines BEGIN SELECT RAISE(ABORT, 'lines are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS no_gap BEFORE INSERT ON lines WHEN NEW.number != (SELECT COALESCE(MAX(number), 0) + 1 FROM lines)
    BEGIN SELECT RAISE(ABORT, 'lines are only added at the end'); END;
"""


class Line(NamedTuple):
    """One line: its number from 1, the entry as JSON, and SHA-256 of the hash before it and the entry."""

    number: int
    body: str
    hash: str

    @property
    def entry(self) -> Record | Revocation:
        """What the line says; raises `ConsentError` where this version of facechange does not understand it."""
        try:
            return from_table(parse_json(self.body))
        except ValueError:
            raise ConsentError(
                f"Line {self.number} of the consent ledger is of an unknown kind.", "Update facechange."
            ) from None


class Ledger:
    """The file, opened for each use and closed after it, so that processes can share it."""

    def __init__(self, path: Path, clock: Clock = utc_now) -> None:
        self.path = path
        self._clock = clock

    def read(self) -> list[Line]:
        """Every line, oldest first, after all were held against their hashes; none where there is no ledger yet.

        Raises `ConsentError` that names the first line that was altered, and where the file cannot be read.
        """
        if not self.path.exists():
            return []
        with self._connect() as connection:
            return self._checked_lines(connection)

    def now(self, lines: list[Line]) -> str:
        """The time in UTC, as 2025-05-03T10:00:00Z; never before the last line's, as a clock put back must bring no
        consent back.

        Raises `ConsentError` where the clock is more than a day behind the ledger.
        """
        clock = self._clock().astimezone(UTC).replace(microsecond=0)
        last = datetime.fromisoformat(lines[-1].entry.recorded_at) if lines else clock
        if clock < last - CLOCK_TOLERANCE:
            raise ConsentError(
                f"This machine's clock says {clock:%Y-%m-%d %H:%M}, but the consent ledger was last written on {last:%Y-%m-%d %H:%M} UTC.",
                f"Set the clock; if it was wrong then, move {self.path} away and record consent anew.",
            )
        return f"{max(clock, last):%Y-%m-%dT%H:%M:%SZ}"

    def add(self, decide: Callable[[list[Line], str], Record | Revocation | Line]) -> Line:
        """Add the entry that `decide` makes of all lines so far and the time now; no other process can write meanwhile.

        `decide` may also return a line that is there already: then nothing is added. Returns the line, which has
        reached the disk. Raises `ConsentError` where the ledger was altered or cannot be written, and whatever `decide`
        raises.
        """
        self._make_file()
        with self._connect() as connection:
            connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA)
            lines = self._checked_lines(connection)
            decided = decide(lines, self.now(lines))
            if isinstance(decided, Line):
                return decided
            body = json.dumps(as_table(decided), ensure_ascii=False, sort_keys=True)
            line = Line(len(lines) + 1, body, _hash(lines[-1].hash if lines else NO_HASH, body))
            connection.execute("INSERT INTO lines VALUES (?, ?, ?)", (line.number, line.body, line.hash))
            connection.execute("COMMIT")
            return line

    def _make_file(self) -> None:
        """An empty file that only its owner may read: labels and statements are personal data."""
        try:
            make_folder(self.path.parent)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
                reach_disk(self.path.parent)
        except OSError as error:
            raise self._unusable(os.strerror(error.errno or 0)) from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """A connection without automatic transactions, whose errors are sentences."""
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise self._unusable(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise ConsentError(
                f"The consent ledger {self.path} is damaged ({error}).",
                "Put back a copy of it, or move it away and record consent anew.",
            ) from error

    def _checked_lines(self, connection: sqlite3.Connection) -> list[Line]:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'lines'").fetchone():
            return []
        lines: list[Line] = []
        before = NO_HASH
        for row in connection.execute("SELECT number, body, hash FROM lines ORDER BY number"):
            line = Line(*row)
            if line.number != len(lines) + 1 or line.hash != _hash(before, line.body):
                raise ConsentError(
                    f"Line {len(lines) + 1} of the consent ledger {self.path} was altered or removed: nothing in it can be relied on.",
                    "Put back a copy of the ledger, or move it away and record consent anew.",
                )
            lines.append(line)
            before = line.hash
        return lines

    def _unusable(self, reason: str) -> ConsentError:
        return ConsentError(
            f"The consent ledger {self.path} cannot be used: {reason}.",
            "FACECHANGE_HOME can name another folder for it.",
        )


def _hash(before: str, body: str) -> str:
    return hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()
