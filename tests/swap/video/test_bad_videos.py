"""Videos that are refused or mended, and how that is said."""

from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace

import av
import numpy as np
import pytest

from facechange.consent import Grant, load_context
from facechange.core import FaceError, OutputError, VideoError
from facechange.swap import FixedIdentity, Swapper
from facechange.swap.video import VideoOptions, change_video, frames, probe, request_video_change

FAST = VideoOptions(preset="ultrafast")
Grants = Callable[[Path], Grant]


def test_bad_input_is_refused_in_words(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    clip: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:3000])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=videos.SOUND_RATE, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = videos.SOUND_RATE
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    for name, words in (
        ("empty", "empty"),
        ("text", "not a video"),
        ("cut", "video"),
        ("sound", "only sound"),
        ("none", "no video"),
    ):
        with pytest.raises(VideoError, match=words):
            request_video_change(
                load_context(), [source], tmp_path / f"{name}.mp4", tmp_path / "out.mp4", videos.CONSENT
            )
    for output, words in (("out.txt", "no kind of video"), ("nowhere/out.mp4", "no folder"), (".", "no kind")):
        with pytest.raises(OutputError, match=words):
            request_video_change(load_context(), [source], clip, tmp_path / output, videos.CONSENT)
    with pytest.raises(OutputError, match="one of the files"):
        request_video_change(load_context(), [source], clip, clip, videos.CONSENT)
    for options, words in (
        (VideoOptions(encoder="divx"), "no video encoder"),
        (VideoOptions(encoder="prores"), "cannot hold"),
    ):
        with pytest.raises(OutputError, match=words):
            change_video(swapper, assignment, clip, tmp_path / "out.webm", grant=grant_for(clip), options=options)
    still = videos.write_video(tmp_path / "still.mp4", [np.full((240, 320, 3), 99, np.uint8)] * 5)
    with pytest.raises(FaceError, match="no frame has such a face"):
        change_video(swapper, assignment, still, tmp_path / "out.mp4", grant=grant_for(still), options=FAST)
    assert not (tmp_path / "out.mp4").exists()


def test_hdr_of_the_pq_kind_is_refused(videos: ModuleType, portrait: np.ndarray, source: Path, tmp_path: Path) -> None:
    clip = videos.write_video(
        tmp_path / "hdr.mkv",
        videos.moving(portrait, 1),
        pixel_format="yuv420p10le",
        options={"color_primaries": "bt2020", "color_trc": "smpte2084", "colorspace": "bt2020nc"},
    )
    with pytest.raises(VideoError, match="PQ"):
        request_video_change(load_context(), [source], clip, tmp_path / "out.mp4", videos.CONSENT)


def test_a_size_that_changes_on_the_way_becomes_that_of_the_first_frame(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    frames = videos.moving(portrait, 12)
    small = [frame[::2, ::2].copy() for frame in frames[6:]]
    parts = []
    for first, part in ((0, frames[:6]), (6, small)):
        pts = [3600 * (first + index) for index in range(6)]
        parts.append(
            videos.write_video(
                tmp_path / f"{first}.ts", part, pts=pts, time_base=Fraction(1, 90000), options={"tune": "zerolatency"}
            )
        )
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    done = change_video(swapper, assignment, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=FAST)
    assert (done.frames, done.changed) == (12, 12)
    times, after = videos.read_video(tmp_path / "out.mkv")
    assert times == [Fraction(index, 25) for index in range(12)]
    assert {frame.shape for frame in after} == {(240, 320, 3)}
    assert np.abs(after[10].astype(float) - frames[10])[:, 300:].mean() < 4


def test_several_recordings_in_one_file_are_refused(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    part = videos.write_video(tmp_path / "part.ts", videos.moving(portrait, 30), sound=videos.make_clicks(1.2))
    clip = tmp_path / "clip.ts"
    clip.write_bytes(2 * part.read_bytes())
    with pytest.raises(VideoError, match="clock"):
        change_video(swapper, assignment, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=FAST)
    assert not list(tmp_path.glob("*out*"))


def test_a_part_beyond_the_end_is_refused(
    assignment: FixedIdentity, swapper: Swapper, clip: Path, grant_for: Grants, tmp_path: Path
) -> None:
    with pytest.raises(VideoError, match="no frame in 100-200"):
        change_video(
            swapper, assignment, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=VideoOptions(trim="100-200")
        )
    assert not list(tmp_path.iterdir())


def test_damaged_packets_repeat_the_frame_before(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    clip = videos.write_video(tmp_path / "clip.mov", videos.moving(portrait, 12), codec="png", pixel_format="rgb24")
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size][5]
        data[broken.pos : broken.pos + broken.size] = bytes(broken.size)
    clip.write_bytes(data)
    done = change_video(swapper, assignment, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=FAST)
    assert (done.frames, done.repeated) == (12, 1)


@pytest.mark.parametrize(
    "error",
    [
        av.error.MemoryError(12, "Cannot allocate memory"),
        av.error.BlockingIOError(11, "Resource temporarily unavailable"),
    ],
)
def test_a_decoder_without_memory_is_no_damaged_video(
    clip: Path, monkeypatch: pytest.MonkeyPatch, error: av.error.FFmpegError
) -> None:
    """Another frame would stand for each that could not be decoded."""

    class Packet:
        pts, size = 0, 9

        def decode(self) -> list[av.VideoFrame]:
            raise error

    stream = SimpleNamespace(time_base=Fraction(1, 25), average_rate=25, start_time=0)
    container = SimpleNamespace(demux=lambda stream: [Packet()])
    monkeypatch.setattr(frames, "open_video", lambda path: nullcontext(container))
    monkeypatch.setattr(frames, "video_stream", lambda container, name: stream)
    with pytest.raises(type(error)):
        list(frames._decode(clip, None))
    with pytest.raises(type(error)):
        probe._first_frame(container, stream, clip)
