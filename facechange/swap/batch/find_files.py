"""The photographs and videos of a folder and of the folders in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from facechange.core import PictureError
from facechange.images import WRITABLE_SUFFIXES
from facechange.images.kinds import RAW_SUFFIXES, VIDEO_SUFFIXES, is_moving

# Camera raws are refused later, by name: who has a folder of them should read why.
SUFFIXES = {*WRITABLE_SUFFIXES, ".apng", ".bmp", ".gif", ".jfif", *VIDEO_SUFFIXES, *RAW_SUFFIXES}


@dataclass(frozen=True)
class Target:
    """A file to change."""

    path: Path
    name: str  # below the folder, with "/"
    moving: bool  # a video or an animation


@dataclass(frozen=True)
class Found:
    """What is in a folder."""

    targets: list[Target]  # in the order of their names
    unreadable: dict[str, str]  # name below the folder: why


def find_targets(folder: Path, without: Path) -> Found:
    """Everything in `folder` that looks like a photograph or a video by its name, except what lies in the folder
    `without`.

    Hidden files and folders and everything else is passed over. A link to a file counts as that file; a link to a
    folder is not followed, because it can lead in a circle. Raises `PictureError` where `folder` is no folder, or may
    not be read.
    """
    if not folder.is_dir():
        missing = not folder.exists()
        raise PictureError(
            f"There is no folder {folder}." if missing else f"{folder} is not a folder.",
            "Name a folder of photographs.",
        )
    targets: list[Target] = []
    unreadable: dict[str, str] = {}

    def note(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise PictureError(f"The folder {folder} may not be read.", "Ask for permission to read it.") from error
        unreadable[_name(Path(error.filename), folder)] = f"The folder cannot be read: {error.strerror}."

    for root, folders, files in os.walk(folder, onerror=note):
        here = Path(root)
        folders[:] = sorted(each for each in folders if not each.startswith(".") and not _is_same(here / each, without))
        for each in sorted(files):
            path = here / each
            if each.startswith(".") or path.suffix.lower() not in SUFFIXES or (path.exists() and not path.is_file()):
                continue
            try:
                targets.append(Target(path, _name(path, folder), is_moving(path)))
            except OSError as error:
                unreadable[_name(path, folder)] = f"The file cannot be read: {error.strerror}."
    return Found(sorted(targets, key=lambda target: target.name), unreadable)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _is_same(one: Path, other: Path) -> bool:
    return other.exists() and one.exists() and one.samefile(other)
