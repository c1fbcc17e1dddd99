"""A result as numbered pictures, each of which leaves through `publish`."""

from __future__ import annotations

from pathlib import Path

from facechange.change.video.animations import stored_frames
from facechange.change.video.journal import Journal
from facechange.change.video.muxing import Join
from facechange.change.video.planes import to_upright_rgb
from facechange.change.video.sequences import first_number, is_pattern, numbered
from facechange.core import ModelCard
from facechange.pictures import as_picture
from facechange.trust import Grant, publish


def publish_pictures(join: Join, journal: Journal, pattern: Path, grant: Grant, card: ModelCard) -> None:
    """Publish every finished frame; the numbers are the source's where it has some, else they start at 1."""
    start = first_number(join.source) if is_pattern(join.source) else 1
    for index, (_, frame) in enumerate(stored_frames(join, journal)):
        target = numbered(join.source, start + index) if is_pattern(join.source) else join.source
        publish(as_picture(to_upright_rgb(frame, join.facts)), numbered(pattern, start + index), grant=grant, card=card, target=target)
