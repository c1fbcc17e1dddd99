"""What became of each file of a folder: the report of a run, by which the same command goes on after an
interruption."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from facechange.core.files import plain_errors, write_whole
from facechange.core.stored import build, parse_json, read_json

REPORT_NAME = "facechange-batch.json"
_SHARE_OF_TIME = 0.05  # that writing the report may take while a run goes on

State = Literal["done", "faceless", "failed"]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of the faces of a file."""

    faces: int = 0  # changed or covered; in a video, frames with such a face
    covered: int = 0  # faces that no change made unlike who they were
    left: int = 0  # the same, but not covered: by choice
    unrecognisable: int = 0  # faces that do not look more like the source than like who they were
    outcomes: tuple[dict[str, Any], ...] = ()  # a table a face
    notes: tuple[str, ...] = ()  # what of the file did not come into the result, in words


@dataclass(frozen=True)
class Entry(Done):
    """What became of one file."""

    target: str  # below the input folder, with "/"
    output: str  # below the output folder
    index: int  # the number in its result's name
    state: State
    message: str = ""  # why there is no result
    seconds: float = 0.0
    target_stamp: tuple[int, ...] = ()
    output_stamp: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Report:
    """The report's file."""

    request: dict[str, Any]
    files: list[Entry]


@dataclass(frozen=True)
class Counts:
    """How many files a folder's report has of each state, and how many of them were finished by an earlier run."""

    done: int
    faceless: int
    failed: int
    skipped: int
    not_all_changed: int = 0  # files in which a face was covered or left
    unrecognisable: int = 0  # files in which a face is not recognisably the source


class Journal:
    """The report in `folder`; opening it finds what earlier runs of the same `request` left.

    `request` is whatever the results depend on besides the files, as JSON can hold it. A report of another request, or
    one that cannot be understood, counts as none.
    """

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self.folder = folder
        self._request = parse_json(json.dumps(request))
        self._entries = {entry.target: entry for entry in self._read()}
        self._written_at, self._writing_s = time.monotonic(), 0.0

    @property
    def entries(self) -> list[Entry]:
        """By name of the target."""
        return [self._entries[name] for name in sorted(self._entries)]

    def find(self, target: str) -> Entry | None:
        """What is known of a file."""
        return self._entries.get(target)

    def is_finished(self, target: str, path: Path) -> bool:
        """Whether the file at `path` was changed, or seen to have no face, and neither it nor its result was touched
        since."""
        entry = self._entries.get(target)
        if entry is None or entry.state == "failed" or entry.target_stamp != stamp(path):
            return False
        return entry.state == "faceless" or entry.output_stamp == stamp(self.folder / entry.output)

    def keep(self, targets: Iterable[str]) -> None:
        """Forget every file but `targets`."""
        self._entries = {name: self._entries[name] for name in targets if name in self._entries}

    def note(self, entry: Entry) -> None:
        """Add an entry. It reaches the disk soon: a long report is not written after each of many small files."""
        self._entries[entry.target] = entry
        if time.monotonic() - self._written_at > max(1.0, self._writing_s / _SHARE_OF_TIME):
            self.save()

    def save(self) -> None:
        """Write the report; raises `OutputError`."""
        started = time.monotonic()
        table = asdict(_Report(self._request, self.entries))
        path = self.folder / REPORT_NAME
        with plain_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole((json.dumps(table, indent=1) + "\n").encode(), path)
        self._written_at = time.monotonic()
        self._writing_s = self._written_at - started

    def _read(self) -> list[Entry]:
        try:
            report = build(_Report, read_json(self.folder / REPORT_NAME))
        except (OSError, ValueError):
            return []
        return report.files if report.request == self._request else []


def stamp(path: Path) -> tuple[int, ...]:
    """What tells that a file was touched: its size in bytes and the time of its last change in ns; empty where there is
    none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns
