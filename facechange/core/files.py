"""Files that appear whole or not at all: write beside the place, reach the disk, take the name in one step."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from facechange.core import OutputError

if sys.platform != "win32":
    import fcntl

LONGEST_NAME_BYTES = 255  # on nearly every file system
_PART = re.compile(r"\.facechange-[0-9a-f]{16}\.part")
_ABANDONED_S = 86_400.0  # age of a part file that nobody writes any more, where files cannot be locked


def check_place(path: Path, overwrite: bool = True) -> None:
    """Raise `OutputError` where a file cannot appear at `path`: a folder, no folder, no permission, no space, already
    there."""
    with plain_errors(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder.", "Name a file in it.")
        if not path.parent.is_dir():
            raise OutputError(f"There is no folder {path.parent}.", "Make it first.")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already.", "Choose another name.")
        if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
            raise OutputError(f"{path} may not be overwritten.", "Choose another name.")
        with part_file(Path(os.path.realpath(path)).parent):
            pass


def write_whole(data: bytes, path: Path, mode: int = 0o666) -> None:
    """Write `data` at `path`, a link followed; a new file gets `mode`, as far as the umask lets it. Raises
    `OSError`."""
    with part_file(Path(os.path.realpath(path)).parent, mode) as part:
        part.write_bytes(data)
        take_name(part, path)


def write_first(data: bytes, path: Path, mode: int) -> None:
    """Write `data` at `path` unless a file is there, even one that appears meanwhile. Raises `OSError`."""
    with part_file(path.parent, mode) as part:
        part.write_bytes(data)
        reach_disk(part)
        with contextlib.suppress(FileExistsError):
            os.link(part, path)  # unlike a rename, never in place of another process's
        reach_disk(path.parent)


def copy_whole(original: Path, path: Path) -> None:
    """Let a copy of `original` appear at `path`; raises `OutputError`."""
    with plain_errors(path), part_file(Path(os.path.realpath(path)).parent) as part:
        shutil.copyfile(original, part)
        take_name(part, path)


def take_name(part: Path, path: Path) -> None:
    """Let a finished part file reach the disk and become `path`: a link stays a link, a file's mode its mode. Raises
    `OSError`."""
    place = Path(os.path.realpath(path))
    reach_disk(part)
    if place.exists():
        part.chmod(place.stat().st_mode & 0o777)
    part.replace(place)
    reach_disk(place.parent)


def make_folder(path: Path) -> None:
    """A folder at `path`, new ones readable by their owner alone, and on the disk when this returns. Raises
    `OSError`."""
    if not path.is_dir():
        make_folder(path.parent)
        with contextlib.suppress(FileExistsError):  # another process was first
            path.mkdir(mode=0o700)
        reach_disk(path.parent)


def open_private_folder(path: Path) -> None:
    """A folder at `path` that is nobody else's business: made, or there, the user's own, open to no one else, and no
    link.

    Raises `OutputError` for any other that is there, which stays as it is, and `OSError`.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        return reach_disk(path.parent)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise OutputError(
            f"{path} is no folder of facechange's, but its work would go there.",
            "Look at what it is, and take it away.",
        )
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or (status.st_mode & 0o077 and _keeps_modes(path))):
        raise OutputError(
            f"The folder {path}, in which an earlier run left its work, is somebody else's or open to others.",
            "What is in it may not be yours: take it away, and the work begins anew.",
        )


def _keeps_modes(folder: Path) -> bool:
    """Whether the disk of `folder` knows who may read what; a memory card's does not, and there every folder seems
    open."""
    with part_file(folder, 0o600) as part:
        return not part.stat().st_mode & 0o077


def open_private(path: Path, mode: str) -> IO[Any]:
    """`open` for what only its owner may read: a new file gets the mode 0600, and no link is followed. Raises
    `OSError`."""
    encoding = None if "b" in mode else "utf-8"
    no_link = getattr(os, "O_NOFOLLOW", 0)
    return open(path, mode, encoding=encoding, opener=lambda name, flags: os.open(name, flags | no_link, 0o600))


def reach_disk(path: Path) -> None:
    """Return when what was written to a file, or which names a folder has, is on the disk. Raises `OSError`."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        # some network disks have no such thing for folders
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def part_file(folder: Path, mode: int = 0o666) -> Iterator[Path]:
    """An empty file of a name of its own in `folder`, gone afterwards unless it was renamed.

    It is locked for as long as it is written, so that what a killed run left there is known, and swept by the next.
    """
    _sweep(folder)
    while True:
        part = folder / f".facechange-{secrets.token_hex(8)}.part"
        held = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)  # tempfile would hide it from the group
        if sys.platform == "win32":  # renames no open file
            os.close(held)
            break
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_EX)
        if os.fstat(held).st_nlink:
            break
        os.close(held)  # a sweep took it for abandoned, in the moment before it was locked
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        if sys.platform != "win32":
            os.close(held)


def hidden_beside(path: Path) -> Path:
    """A hidden name beside `path` that is its alone, and that fits where names are limited."""
    name = f".{path.name}.facechange"
    if len(os.fsencode(name)) > LONGEST_NAME_BYTES:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}.facechange"
    return path.with_name(name)


@functools.cache
def _sweep(folder: Path) -> None:
    """Remove the part files of killed runs, once a process and folder: looking takes long where a folder holds many
    files."""
    with contextlib.suppress(OSError):  # a folder that may be written but not read
        for name in filter(_PART.fullmatch, os.listdir(folder)):
            with contextlib.suppress(OSError):
                _remove_abandoned(folder / name)


def _remove_abandoned(part: Path) -> None:
    """Remove a part file that no process holds. Raises `OSError` where one does."""
    if sys.platform == "win32":
        if time.time() - part.lstat().st_mtime > _ABANDONED_S:
            part.unlink()
        return
    file = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
    finally:
        os.close(file)


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """The system's refusals to write `path` as sentences: `OutputError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"There is no space left for {path}.", "Free some, or write to another disk.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(f"The folder of {path} may not be written to.", "Choose another folder.") from error
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError(f"The name {path.name} is too long.", "Choose a shorter one.") from error
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error
