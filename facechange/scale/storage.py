"""Folders at an address (`s3://`, or whatever else fsspec knows) as folders of this machine, for as long as a run takes.

What is left to do is copied here once, because consent is given for the bytes of each file and the results' credentials
name them; workers read the address themselves. A result appears at its address whole, after it was published here. Of
what is done only stand-ins are kept here: empty files with the size and the time of what lies at the address, by which
the report of a folder knows that nobody touched it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from facechange.core import FacechangeError, OutputError, PictureError
from facechange.core.stored import read_json
from facechange.provenance.credentials import sidecar_of
from facechange.swap.batch.find_files import SUFFIXES
from facechange.swap.batch.journal import REPORT_NAME, stamp
from facechange.swap.batch.page import PAGE_NAME

ATTEMPTS, FIRST_PAUSE_S = 4, 0.5
REPORT_EVERY_S = 30.0
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.+")
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 1}}}
}
Result = TypeVar("Result")


def is_address(text: str) -> bool:
    """Whether a folder is named by an address rather than by a path."""
    return _ADDRESS.fullmatch(text) is not None


class Storage:
    """The files below an address. What fails is tried again, then said in a sentence: `error` (reading or writing)."""

    def __init__(self, address: str, error: type[FacechangeError] = PictureError) -> None:
        self.address = address.rstrip("/")
        self._error = error
        options = _OPTIONS.get(address.partition("://")[0], {})
        try:
            files, root = fsspec.core.url_to_fs(
                self.address, skip_instance_cache=True, use_listings_cache=False, **options
            )
        except (ImportError, ValueError) as problem:
            raise error(f"{address} cannot be opened ({problem}).", "Install what fsspec needs for it.") from problem
        self._files, self._root = files, root.rstrip("/")

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size and time of the last change in ns of every file, by its name below the address.

        Keys of a bucket may hold what leads out of a folder here; such files are not seen.
        """
        found = self._try("listed", lambda: self._files.find(self._root, detail=True))
        named = {place.removeprefix(f"{self._root}/"): _stamp_of(details) for place, details in found.items()}
        return {name: stamped for name, stamped in named.items() if ".." not in name.split("/")}

    def fetch(self, name: str, path: Path) -> None:
        """Copy a file to `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._try(f"read ({name})", lambda: self._files.get_file(f"{self._root}/{name}", str(path)))

    def put(self, path: Path, name: str) -> tuple[int, int]:
        """Let a file appear under `name`, whole or not at all; its stamp there."""

        def send() -> tuple[int, int]:
            self._files.put_file(str(path), f"{self._root}/{name}")
            return _stamp_of(self._files.info(f"{self._root}/{name}"))

        return self._try(f"written ({name})", send)

    def _try(self, done: str, call: Callable[[], Result]) -> Result:
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return call()
            except Exception as problem:  # each kind of storage has errors of its own
                if attempt == ATTEMPTS or isinstance(problem, (FileNotFoundError, PermissionError)):
                    cause = str(problem).splitlines()[0][:200] if str(problem) else type(problem).__name__
                    raise self._error(
                        f"{self.address} cannot be {done}: {cause}.", "Look at the storage; the same command goes on."
                    ) from problem
            time.sleep(pause)
            pause *= 2
        raise AssertionError("there is a last attempt")


def _stamp_of(details: dict[str, Any]) -> tuple[int, int]:
    changed = details.get("LastModified") or details.get("mtime") or details.get("created") or 0
    seconds = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    return int(details["size"]), round(seconds * 1000) * 1_000_000


def stand_in(path: Path, stamped: tuple[int, int]) -> None:
    """An empty file of the size and the time of one that lies elsewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(stamped[0])
    os.utime(path, ns=(stamped[1], stamped[1]))


@dataclass(frozen=True)
class Mirror:
    """Two folders here that stand for two addresses; either may also be a folder of this machine."""

    folder: Path
    output: Path
    inputs: Storage | None
    outputs: Storage | None

    def address_of(self, target: Path) -> str:
        """Where workers read a file; empty where it is a path."""
        return f"{self.inputs.address}/{target.relative_to(self.folder).as_posix()}" if self.inputs else ""

    def deliver(self, result: Path) -> None:
        """Let a published result, and what lies beside it, appear at its address. Raises `OutputError`."""
        if self.outputs is None:
            return
        for path in (sidecar_of(result), result):  # the result last: it says that all is there
            if path.exists():
                stand_in(path, self.outputs.put(path, path.relative_to(self.output).as_posix()))

    def deliver_report(self) -> None:
        """The same of the report and the page that shows it."""
        if self.outputs is not None:
            for name in (REPORT_NAME, PAGE_NAME):
                if (self.output / name).exists():
                    self.outputs.put(self.output / name, name)

    def reporting(self, report: Callable[[int, int], None]) -> Callable[[int, int], None]:
        """`report`, by which the report at the address keeps up too."""
        last = time.monotonic()

        def tell(done: int, total: int) -> None:
            nonlocal last
            report(done, total)
            if time.monotonic() - last > REPORT_EVERY_S:
                self.deliver_report()
                last = time.monotonic()

        return tell

    def fill(self) -> None:
        """Bring what an earlier run reported, and the files that are left to do."""
        done = self._read_report()
        if self.inputs is None:
            return
        for name, stamped in self.inputs.stamps().items():
            if Path(name).suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in name.split("/")):
                continue
            path = self.folder / name
            if done.get(name) == stamped:
                stand_in(path, stamped)
                continue
            self.inputs.fetch(name, path)
            os.utime(path, ns=(stamped[1], stamped[1]))

    def _read_report(self) -> dict[str, tuple[int, ...]]:
        """Stamps of the files whose results lie at their address as they were reported."""
        if self.outputs is not None:
            there = self.outputs.stamps()
            if REPORT_NAME in there:
                self.outputs.fetch(REPORT_NAME, self.output / REPORT_NAME)
        try:
            entries = read_json(self.output / REPORT_NAME)["files"]
            known = {each["target"]: each for each in entries if each["state"] != "failed"}
            if self.outputs is not None:
                for each in known.values():
                    if each["state"] == "done" and each["output"] in there:
                        stand_in(self.output / each["output"], there[each["output"]])
            return {
                name: tuple(each["target_stamp"])
                for name, each in known.items()
                if each["state"] == "faceless" or tuple(each["output_stamp"]) == stamp(self.output / each["output"])
            }
        except (OSError, ValueError, KeyError, TypeError):
            return {}


@contextmanager
def mirrored(folder: str, output: str) -> Iterator[Mirror]:
    """The folders at these addresses or paths, here. What is here is gone afterwards. Raises `PictureError` and
    `OutputError`."""
    place = Path(tempfile.mkdtemp(prefix="facechange-"))  # its owner's alone
    try:
        inputs = Storage(folder) if is_address(folder) else None
        outputs = Storage(output, OutputError) if is_address(output) else None
        mirror = Mirror(
            _place_of(place, folder) if inputs else Path(folder),
            _place_of(place, output) if outputs else Path(output),
            inputs,
            outputs,
        )
        for path in (mirror.folder if inputs else None, mirror.output if outputs else None):
            if path is not None:
                path.mkdir(parents=True, exist_ok=True)
        mirror.fill()
        yield mirror
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _place_of(place: Path, address: str) -> Path:
    """As in the address, so that links from one folder to the other hold there too."""
    scheme, _, rest = address.rstrip("/").partition("://")
    parts = [part for part in rest.split("/") if part not in ("", ".", "..")]
    return place.joinpath(scheme, *parts)
