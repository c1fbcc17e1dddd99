"""`--trim FROM-TO`: which part of a video is made."""

from __future__ import annotations

import re
from fractions import Fraction

from facechange.change.video.facts import VideoFacts
from facechange.change.video.frames import Window
from facechange.core import VideoError

_TIME = r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)"
_TRIM = re.compile(rf"(?:{_TIME})?-(?:{_TIME})?")


def parse_trim(text: str | None, facts: VideoFacts) -> Window:
    """The window for `FROM-TO`, each in seconds or [h:]m:s from the first frame, either of which may be left out.

    Raises `VideoError` where the text says nothing of the kind.
    """
    if text is None:
        return Window()
    match = _TRIM.fullmatch(text.strip())
    if match is None:
        raise VideoError(f"{text!r} is no part of a video.", "Write it as 12.5-30, 1:05-1:20, 10- or -10.")
    start, end = _seconds(match.groups()[:3]), _seconds(match.groups()[3:])
    if start is not None and end is not None and end <= start:
        raise VideoError(f"{text!r} ends before it begins.", "Give the earlier time first.")
    return Window(_pts(start, facts), _pts(end, facts))


def _seconds(parts: tuple[str | None, ...]) -> Fraction | None:
    hours, minutes, seconds = parts
    return None if seconds is None else int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def _pts(time_s: Fraction | None, facts: VideoFacts) -> int | None:
    return None if time_s is None else facts.start_pts + round(time_s / facts.time_base)
