"""Broken bytes end in a sentence, and a name is never an address."""

import itertools
import socket
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from facechange.core import VideoError
from facechange.swap.live.capture import Capture
from facechange.swap.video.encode import choose_encoder, open_encoder
from facechange.swap.video.frames import Window, read_frames
from facechange.swap.video.probe import inspect_video

KINDS = ("mp4", "mkv", "webm", "avi", "ts", "gif", "webp")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType) -> dict[str, bytes]:
    """A small film of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    frames = [np.full((48, 64, 3), shade, np.uint8) for shade in range(0, 240, 24)]
    frames = [
        np.random.default_rng(index).integers(0, 99, frame.shape, np.uint8) + frame // 2
        for index, frame in enumerate(frames)
    ]
    stills = [Image.fromarray(frame) for frame in frames]
    for kind in KINDS:
        path = folder / f"whole.{kind}"
        if kind in ("gif", "webp"):
            stills[0].save(path, save_all=True, append_images=stills[1:], duration=80)
        else:
            videos.write_video(path, frames, codec="libvpx-vp9" if kind == "webm" else "libx264", options={})
    return {kind: (folder / f"whole.{kind}").read_bytes() for kind in KINDS}


def damages(data: bytes) -> Iterator[bytes]:
    """The same with its head or its middle flipped, zeroed, cut or doubled."""
    random = np.random.default_rng(len(data))
    for part in (64, 1024, len(data)):
        for _ in range(4):
            flipped = np.frombuffer(data, np.uint8).copy()
            flipped[random.integers(0, min(part, len(data)), 1 + part // 40)] ^= np.uint8(1 << random.integers(8))
            yield flipped.tobytes()
            start = int(random.integers(0, min(part, len(data))))
            yield data[:start] + bytes(24) + data[start + 24 :]
            yield data[:start] + data[start + 7 :]
            yield data[:start]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_anywhere_is_a_video_error_or_none(
    kind: str, whole: dict[str, bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"damaged.{kind}"
    read, refused = 0, 0
    for data in itertools.chain([whole[kind]], damages(whole[kind])):
        path.write_bytes(data)
        try:
            probe = inspect_video(path)
            list(itertools.islice(read_frames(path, probe, "yuv420p", Window()), 40))
            read += 1
        except VideoError:
            refused += 1
    assert read
    assert refused
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("kind", "known", "unknown"), [("mp4", b"avc1", b"xxx1"), ("webm", b"V_VP9", b"V_XX9")])
def test_a_track_that_no_decoder_knows_is_refused(
    kind: str, known: bytes, unknown: bytes, whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"unknown.{kind}"
    path.write_bytes(whole[kind].replace(known, unknown))
    with pytest.raises(VideoError, match="No decoder"):
        inspect_video(path)


@pytest.mark.parametrize("duration_ms", [1, 16_000_000])
def test_a_rate_beyond_reason_is_one_that_encoders_take(duration_ms: int, tmp_path: Path) -> None:
    stills = [Image.new("RGB", (64, 48), shade) for shade in ("red", "blue")]
    stills[0].save(tmp_path / "slow.webp", save_all=True, append_images=stills[1:], duration=duration_ms)
    probe = inspect_video(tmp_path / "slow.webp")
    open_encoder(choose_encoder(probe, tmp_path / "out.mp4", None, 50, "ultrafast"), probe).open()


@pytest.fixture
def called() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A port of this computer, and whether anybody called there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def was_called() -> bool:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield server.getsockname()[1], was_called


def test_a_name_like_an_address_is_a_file(
    whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: tuple[int, Callable[[], bool]]
) -> None:
    port, was_called = called
    monkeypatch.chdir(tmp_path)
    path = Path(f"http:/127.0.0.1:{port}/x.mkv")
    path.parent.mkdir(parents=True)
    path.write_bytes(whole["mkv"])
    assert inspect_video(path).rate == Fraction(25)
    with Capture(path) as capture:
        assert capture.next() is not None
    assert not was_called()


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"],
)
def test_what_a_file_names_on_the_network_is_not_asked_for(
    playlist: str, tmp_path: Path, called: tuple[int, Callable[[], bool]]
) -> None:
    port, was_called = called
    path = tmp_path / "list.m3u8"
    path.write_text(playlist.format(f"http://127.0.0.1:{port}/x.ts"))
    with pytest.raises(VideoError):
        inspect_video(path)
    with pytest.raises(VideoError):
        Capture(path)
    assert not was_called()
