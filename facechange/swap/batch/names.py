"""What results are called: a pattern such as "{index:04d}-{target_name}.{extension}", and what it may say."""

from __future__ import annotations

from pathlib import Path
from string import Formatter

from facechange.core import OutputError
from facechange.images import WRITABLE_SUFFIXES

DEFAULT_PATTERN = "{target_name}.{extension}"
FIELDS = ("index", "source_name", "target_name", "extension")
# that videos are written as
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", ".webp", ".png", ".apng")


def check_pattern(pattern: str) -> None:
    """Raise `OutputError` for a pattern that asks for something unknown, or makes no file name of a picture or a
    video."""
    try:
        unknown = {field for _, field, _, _ in Formatter().parse(pattern)} - {*FIELDS, None}
        name = "" if unknown else pattern.format_map(_values("target", ".jpg", 1, "source"))
    except (ValueError, KeyError):
        unknown, name = {pattern}, ""
    if unknown:
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise OutputError(
            f'The pattern "{pattern}" cannot be understood.', f"It may hold {known}; a brace itself is written twice."
        )
    if name != Path(name).name or "\\" in name or "\0" in name:
        raise OutputError(
            f'The pattern "{pattern}" makes no plain file name.', "Leave folders out: they are those of the input."
        )
    if Path(name).suffix.lower() not in (*WRITABLE_SUFFIXES, *VIDEO_SUFFIXES):
        raise OutputError(
            f'The pattern "{pattern}" ends in no kind of picture or video.', "Let it end in .{extension}, or in .png."
        )


def result_name(pattern: str, target: Path, moving: bool, index: int, source_name: str) -> str:
    """The file name of the result for `target`, a video where it is `moving`.

    A kind that cannot be written keeps its name and gets another: scan.bmp becomes scan.bmp.png, clip.avi becomes
    clip.avi.mkv.
    """
    suffix = target.suffix
    if suffix.lower() not in (VIDEO_SUFFIXES if moving else WRITABLE_SUFFIXES):
        suffix += ".mkv" if moving else ".png"
    return pattern.format_map(_values(target.stem, suffix, index, source_name))


def _values(target_name: str, suffix: str, index: int, source_name: str) -> dict[str, str | int]:
    return {
        "index": index,
        "source_name": source_name,
        "target_name": target_name,
        "extension": suffix.removeprefix("."),
    }
