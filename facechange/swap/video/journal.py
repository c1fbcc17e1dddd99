"""What is done of a video, in a file that survives a crash: a line for the request, then a line a finished segment.

It can hold who the people in the video are, as the networks read it, so every line is sealed, and the folder and all in
it are its owner's alone.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from facechange.core import OutputError
from facechange.core.files import open_private, open_private_folder, reach_disk
from facechange.core.stored import build, parse_json, read_text
from facechange.swap.video.sealing import Seal
from facechange.swap.video.segments import Segment, segment_path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


# all that a run leaves in its folder
_OURS = re.compile(r"journal\.(jsonl|new)|\d{6}\.packets|finished\.\w+|\.facechange-\w+\.part")


@dataclass(frozen=True)
class Progress:
    """How far a video has come."""

    frames: int = 0
    changed: int = 0  # frames with a changed face
    repeated: int = 0  # frames that could not be decoded
    interlaced: int = 0  # frames that were
    # what became of each face, of `Watch.table`; right in the last entry
    faces: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A finished segment: what is in it, how far the video is with it, and the state from which the next one goes
    on."""

    segment: Segment
    progress: Progress
    state: dict[str, Any] | None  # None after the last one


@dataclass(frozen=True)
class _Head:
    """The first line."""

    request: dict[str, Any]
    kept: dict[str, Any]


class Journal:
    """The folder in which a video is made, beside its result. Opening it finds what an earlier run of the same request
    left.

    `request` is whatever the result depends on, `kept` what is decided once; its key is in `data`. A folder
    of another request, or one that cannot be understood, as without its key, is emptied. Raises `OutputError` where
    another run works in it, and for a folder that may not be this program's: a link, somebody else's, one open to
    others, or one with other things in it. Use it in a `with` block, which lets others in again.
    """

    def __init__(self, folder: Path, request: dict[str, Any], kept: dict[str, Any], data: Path) -> None:
        self.folder = folder
        self._path = folder / "journal.jsonl"
        self._seal = Seal(folder, data)
        open_private_folder(folder)
        self._lock = _lock(folder / "lock")
        try:
            self._open(request, kept)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def _open(self, request: dict[str, Any], kept: dict[str, Any]) -> None:
        entries = self._read(request)
        if entries is None:
            left = [path for path in self.folder.iterdir() if path.name != "lock"]
            for path in left:
                if not _OURS.fullmatch(path.name) or not path.is_file() or path.is_symlink():
                    raise OutputError(
                        f"{path} is nothing that facechange left there.", "Move it: the folder is emptied for new work."
                    )
            for path in left:
                path.unlink()
            self.kept, entries = kept, []
            try:
                self._seal.renew()
                self._write([{"request": request, "kept": kept}])
            except (OSError, OutputError):
                self.discard()  # there is nothing in it
                raise
        self.last = entries[-1] if entries else None
        self.segments = len(entries)

    def add(self, entry: Entry) -> None:
        """Note a finished segment; on the disk when this returns."""
        with open_private(self._path, "a") as file:
            file.write(self._seal.close(asdict(entry)) + "\n")
        reach_disk(self._path)
        reach_disk(self.folder)  # which names the segment
        self.last = entry
        self.segments += 1

    def entries(self) -> Iterator[Entry]:
        """The finished segments in order, read one at a time."""
        with self._path.open(encoding="utf-8") as file:
            next(file)
            for line in file:
                yield self._parse_entry(line)

    def discard(self) -> None:
        """Remove the key, then the folder: the result is in its place."""
        with contextlib.suppress(OSError):
            self._seal.destroy()
        self._lock.close()  # Windows removes no open file
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, request: dict[str, Any]) -> list[Entry] | None:
        """The entries whose files are whole, up to the first that is not; None where the folder is of no use."""
        try:
            lines = read_text(self._path).split("\n")
            head = build(_Head, self._seal.open(lines[0]))
        except (OSError, ValueError):
            return None
        if head.request != parse_json(json.dumps(request)):
            return None
        self.kept = head.kept
        entries: list[Entry] = []
        for line in lines[1:-1]:  # what follows the last line break was being written
            try:
                entry = self._parse_entry(line)
                whole = segment_path(self.folder, entry.segment.number).stat().st_size == entry.segment.size
            except (OSError, ValueError):
                break
            if not whole or entry.segment.number != len(entries):
                break
            entries.append(entry)
        self._write([asdict(head), *map(asdict, entries)])
        return entries

    def _parse_entry(self, line: str) -> Entry:
        return build(Entry, self._seal.open(line.rstrip()))

    def _write(self, values: list[dict[str, Any]]) -> None:
        fresh = self._path.with_suffix(".new")
        with open_private(fresh, "w") as file:
            file.writelines(self._seal.close(value) + "\n" for value in values)
        reach_disk(fresh)
        fresh.replace(self._path)
        reach_disk(self.folder)


def _lock(path: Path) -> IO[bytes]:
    """Hold the file at `path` for as long as it stays open, which a killed process cannot outlive."""
    file = open_private(path, "ab")
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():  # the other run ended in between, and removed it
            raise BlockingIOError
    except (BlockingIOError, PermissionError):  # Windows says the latter
        file.close()
        name = path.parent.name.removeprefix(".").removesuffix(".facechange")
        raise OutputError(f"Another run is making {name}.", "Wait for it, or write to another file.") from None
    return file
