"""Pictures numbered by a pattern (`frames/%04d.png`) as a video."""

from __future__ import annotations

import re
from pathlib import Path

_NUMBER = re.compile(r"%(0\d+)?d")


def is_pattern(path: Path) -> bool:
    """Whether `path` stands for numbered pictures."""
    return _NUMBER.search(path.name) is not None


def numbered(path: Path, number: int) -> Path:
    """The picture `number` of a pattern."""
    return path.with_name(_NUMBER.sub(lambda found: found.group() % number, path.name, count=1))


def first_number(path: Path) -> int:
    """The lowest number for which a picture of the pattern is there; 0 where there is none."""
    return min(_numbers(path), default=0)


def pictures_of(path: Path) -> list[Path]:
    """The pictures of a pattern without a gap from the first; for any other path the path alone."""
    if not is_pattern(path):
        return [path]
    present = _numbers(path)
    number, pictures = min(present, default=0), []
    while number in present:
        pictures.append(numbered(path, number))
        number += 1
    return pictures


def _numbers(path: Path) -> set[int]:
    before, after = _NUMBER.split(path.name, maxsplit=1)[0], _NUMBER.split(path.name, maxsplit=1)[-1]
    shape = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    names = (entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else ()
    found = (match for match in map(shape.fullmatch, names) if match)
    return {int(match.group(1)) for match in found if numbered(path, int(match.group(1))).name == match.group()}
