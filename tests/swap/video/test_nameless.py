"""An anonymised video names nobody: titles, artists, places, chapter titles, covers and attachments are gone; sound and
subtitles stay."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from PIL import Image

from facechange.consent import Grant, load_context, require_grant
from facechange.swap import FixedIdentity, PersonaAssignment, Swapper
from facechange.swap.video import VideoOptions, change_video
from facechange.swap.video.nameless import kept_tags

FAST = VideoOptions(preset="ultrafast")
TAGS = {
    "title": "Annabel's walk",
    "artist": "Annabel Artist",
    "comment": "AnnabelComment",
    "location": "+48.8583+002.2945/",
    "com.apple.quicktime.location.ISO6709": "+48.8584+002.2945/",
    "com.apple.quicktime.make": "AnnabelMake",
}
SECRETS = [b"Annabel", b"48.858", b"2025-05-03"]


def write_told(path: Path, videos: ModuleType, portrait: np.ndarray) -> list[bytes]:
    """A video with a cover, where the container has one, titles and places; returns the packets of its sound."""
    plain = videos.write_video(
        path.with_name(f"plain{path.suffix}"), videos.moving(portrait, 3), sound=videos.make_clicks(1.0)
    )
    cover = io.BytesIO()
    Image.fromarray(portrait).save(cover, "JPEG", comment=b"AnnabelCover")
    with av.open(str(plain)) as source, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(TAGS | {"creation_time": "2025-05-03T10:00:00Z"})
        copies = {stream.index: container.add_stream_from_template(stream) for stream in source.streams}
        copies[1].metadata.update({"language": "fra", "title": "AnnabelTrack"})
        if path.suffix == ".mkv":
            container.add_attachment("cover.jpg", "image/jpeg", cover.getvalue())
            container.add_attachment("ann.txt", "text/plain", b"AnnabelAttachment")
        start = {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000)}
        container.set_chapters([{**start, "metadata": {"title": "AnnabelChapter"}}])
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                container.mux(packet)
    return videos.packets(path, "audio")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_nothing_that_names_anybody_is_left(
    swapper: Swapper, videos: ModuleType, portrait: np.ndarray, tmp_path: Path, suffix: str
) -> None:
    told = tmp_path / f"told{suffix}"
    sound = write_told(told, videos, portrait)
    assert b"AnnabelChapter" in told.read_bytes() and b"48.858" in told.read_bytes()
    grant = require_grant(load_context(), "They are made unrecognisable.", [], [told], "", True)
    done = change_video(swapper, PersonaAssignment(), told, tmp_path / f"out{suffix}", grant=grant, options=FAST)
    data = done.path.read_bytes()
    assert not [secret for secret in SECRETS if secret in data]
    assert set(done.taken_away) >= {"places", "names", "titles and other words", "chapter titles"}
    assert ("cover pictures" in done.taken_away, "attachments" in done.taken_away) == (
        suffix == ".mkv",
        suffix == ".mkv",
    )
    assert videos.packets(done.path, "audio") == sound
    with av.open(str(done.path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert container.streams[1].metadata["language"] == "fra"
        assert len(container.chapters()) == 1


def test_a_video_that_is_only_changed_keeps_its_words_and_loses_its_cover(
    assignment: FixedIdentity,
    swapper: Swapper,
    videos: ModuleType,
    portrait: np.ndarray,
    grant_for: Callable[[Path], Grant],
    tmp_path: Path,
) -> None:
    told = tmp_path / "told.mkv"
    write_told(told, videos, portrait)
    done = change_video(swapper, assignment, told, tmp_path / "out.mkv", grant=grant_for(told), options=FAST)
    assert done.taken_away == ("cover pictures",)
    data = done.path.read_bytes()
    assert b"AnnabelCover" not in data
    assert b"AnnabelChapter" in data and b"AnnabelAttachment" in data and b"Annabel Artist" in data


def test_a_language_is_no_place_to_hide_a_name() -> None:
    assert kept_tags({"language": "ann example", "title": "x"}, nameless=True) == {}
    assert kept_tags({"language": "eng", "encoder": "x", "title": "y"}, nameless=False) == {
        "language": "eng",
        "title": "y",
    }
