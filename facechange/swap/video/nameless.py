"""What goes on from a video besides its frames: no other pictures of it; where people are hidden nothing that names or
shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from av.stream import Disposition

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

_PREVIEWS = Disposition.attached_pic | Disposition.timed_thumbnails
# words alone; others are pictures, or can have some in their head
_PLAIN_SUBTITLES = {"subrip", "srt", "mov_text", "webvtt", "text"}
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
# metadata that the new file has of its own
_OF_THE_OLD_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder")
_KINDS = {"video": "further video tracks", "attachment": "attachments", "subtitle": "subtitles that can hold pictures"}
SHOWING = ("cover pictures", *_KINDS.values())  # of what does not go on, what can hold pictures
_TECHNICAL = (*_OF_THE_OLD_FILE, "language", "handler_name", "vendor_id", "variant_bitrate", "duration", "timecode")
_WORDS = (
    ("places", ("location", "gps", "geo", "\N{COPYRIGHT SIGN}xyz", "place", "city", "country")),
    ("dates", ("date", "time", "year")),
    ("the camera", ("make", "model", "software", "android", "device", "camera", "lens", "serial")),
    (
        "names",
        (
            "artist",
            "author",
            "composer",
            "performer",
            "owner",
            "copyright",
            "director",
            "producer",
            "people",
            "publisher",
        ),
    ),
)


def goes_on(track: Stream, nameless: bool) -> bool:
    """Whether a track that is not changed is copied: no picture, as it would show the original; of a nameless one sound
    and words alone."""
    if track.type == "video" or track.disposition & _PREVIEWS:
        return False
    return not nameless or track.type == "audio" or _is_plain(track)


def _is_plain(track: Stream) -> bool:
    return track.type == "subtitle" and track.codec_context is not None and track.codec_context.name in _PLAIN_SUBTITLES


def kept_tags(tags: Mapping[str, str], nameless: bool) -> dict[str, str]:
    """What is said of a file or a track in the new file: all but what that says of itself, or else the language
    alone."""
    if not nameless:
        return {key: value for key, value in tags.items() if key not in _OF_THE_OLD_FILE}
    return {key: value for key, value in tags.items() if key == "language" and _LANGUAGE.fullmatch(value)}


def nameless_setup(codec: str, setup: bytes) -> bytes:
    """What a sound track's decoder is told before all packets, of the same size, without words.

    Vorbis has a title, names and even a cover picture in it, in the second of three headers (Vorbis I specification,
    5); other codecs have numbers alone. Empty where the headers are not there.
    """
    if "vorbis" not in codec:  # libvorbis too
        return setup
    start, end = setup.find(b"\x03vorbis") + 7, setup.find(b"\x05vorbis")
    words = end - start - 9  # beside two lengths and a framing bit
    if start < 7 or words < 0:
        return b""
    return setup[:start] + words.to_bytes(4, "little") + b" " * words + bytes(4) + b"\x01" + setup[end:]


def say_left_behind(source: InputContainer, changed: int, nameless: bool) -> tuple[str, ...]:
    """What of `source`, besides the video track of the index `changed`, does not go on, in words."""
    gone = [track for track in source.streams if track.index != changed and not goes_on(track, nameless)]
    kinds = [
        "cover pictures" if track.disposition & _PREVIEWS else _KINDS.get(track.type, "data tracks") for track in gone
    ]
    words = [word for word in ("cover pictures", *_KINDS.values(), "data tracks") if word in kinds]
    if not nameless:
        return tuple(words)
    tags = [source.metadata, *(track.metadata for track in source.streams)]
    keys = {key.lower() for each in tags for key in each if key.lower() not in _TECHNICAL}
    about = {
        next((word for word, parts in _WORDS if any(part in key for part in parts)), "titles and other words")
        for key in keys
    }
    words += [word for word in (*(word for word, _ in _WORDS), "titles and other words") if word in about]
    return (*words, *(["chapter titles"] if any(chapter["metadata"] for chapter in source.chapters()) else []))
