"""What the ledger holds: records of consent, and revocations of them. Hashes of pictures, never pictures or what a face
looks like."""

from __future__ import annotations

import getpass
import os
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from facechange.core import hash_file
from facechange.core.stored import build
from facechange.images.reading import readable_file

# How consent was given, and the words for it in a result. A "statement" is what somebody said with the change itself;
# "evaluation" says that nobody was asked for this change: a model's results on a data set are shown, on what the data
# set itself rests on.
BASES = {
    "self": "the person's own pictures",
    "release": "written release",
    "synthetic": "synthetic person",
    "public-domain": "work in the public domain",
    "statement": "statement",
    "evaluation": "a data set's faces, to see what a model does",
}
# What lines of the release before say; a line is never written again.
EARLIER_KINDS = {"withdrawal": "revocation"}
EARLIER_KEYS = {"withdraws": "revokes", "way": "basis"}
ID = re.compile(r"\bfc-[a-z2-7]{8}\b", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """Consent to change certain pictures, or to change others with them, as one line of the ledger."""

    id: str
    who: str  # a label that the operator understands; empty where a statement came with the change
    basis: str  # one of BASES
    sources: tuple[str, ...]  # SHA-256 of the pictures that may give an identity
    targets: tuple[str, ...]  # and of those that may be changed
    purpose: str  # empty: any
    until: str  # the last day, as 2027-05-31, in UTC; empty: no end
    release: str  # SHA-256 of the written release; empty where there is none
    statement: str  # in words, on one line
    rests_on: tuple[str, ...]  # ids of records without which this one does not hold
    added: bool  # by `facechange consent add`; else by a change that came with a statement
    recorded_by: str
    recorded_at: str  # UTC, as 2025-05-03T10:00:00Z


@dataclass(frozen=True)
class Revocation:
    """The end of a record: consent was taken back."""

    id: str
    revokes: str  # id of the record
    reason: str
    recorded_by: str
    recorded_at: str  # as in `Record`


def new_id() -> str:
    """Forty random bits that can be read aloud: no 0, 1, 8 or 9."""
    return "fc-" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(8))


def as_table(entry: Record | Revocation) -> dict[str, Any]:
    """The entry for JSON."""
    return {"kind": type(entry).__name__.lower(), **asdict(entry)}


def from_table(table: dict[str, Any]) -> Record | Revocation:
    """The entry that `as_table` made; raises `ValueError` for anything else."""
    if isinstance(table, dict):
        table = {EARLIER_KEYS.get(key, key): value for key, value in table.items()}
        table["kind"] = EARLIER_KINDS.get(str(table.get("kind")), str(table.get("kind")))
    kind = {"record": Record, "revocation": Revocation}.get(table["kind"]) if isinstance(table, dict) else None
    if kind is None:
        raise ValueError("an entry of another kind")
    entry: Record | Revocation = build(kind, {key: value for key, value in table.items() if key != "kind"})
    if datetime.fromisoformat(entry.recorded_at).tzinfo is None or (
        isinstance(entry, Record) and entry.basis not in BASES
    ):
        raise ValueError("not an entry of this version")
    return entry


class Digests:
    """SHA-256 of files: each is read once, for as long as the disk says that nobody touched it since."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def of(self, path: Path) -> str:
        """The digest of a file, hexadecimal; raises `PictureError` where it cannot be read."""
        with readable_file(path):
            place, status = path.absolute(), path.stat()
            stamp = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
            known = self._known.get(place)
            if known is None or known[0] != stamp:
                self._known[place] = known = stamp, hash_file(path)
            return known[1]


def name_recorder() -> str:
    """The name under which whoever runs this is logged in."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process without a user's entry, as in some containers
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
