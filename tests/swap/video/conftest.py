"""Videos of faces that move along known paths: the example picture, which this project's model drew, with clicks for
sound."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import cv2
import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.consent import Grant, load_context, require_grant
from facechange.swap import FixedIdentity, Swapper, assign_sources

EXAMPLES = Path(facechange.__file__).parent.parent / "examples"
SOUND_RATE = 48000
SIZE = (320, 240)
CLICKS_S = (0.25, 0.6, 0.85)
CONSENT = "Nobody in these pictures exists."


def read_example(name: str, size: int) -> np.ndarray:
    """An example picture [size, size, 3]."""
    return np.asarray(
        Image.open(EXAMPLES / f"{name}.jpg").convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    )


def place_portrait(
    portrait: np.ndarray, size: tuple[int, int], centre: tuple[float, float], angle: float = 0.0, scale: float = 1.0
) -> np.ndarray:
    """A frame of `size` (width, height) with the middle of `portrait` at `centre`, turned by `angle` degrees."""
    side = portrait.shape[0]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
    matrix[:, 2] += np.array(centre) - (side - 1) / 2
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    frame = np.stack([90 + columns * 40 // size[0], 100 + rows * 40 // size[1], np.full_like(rows, 110)], -1).astype(
        np.uint8
    )
    return cv2.warpAffine(portrait, matrix, size, dst=frame, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)


def make_clicks(seconds: float) -> np.ndarray:
    """Silence with a click of 1 ms at each of `CLICKS_S`: int16 [1, samples]."""
    samples = np.zeros((1, round(seconds * SOUND_RATE)), np.int16)
    for click in CLICKS_S:
        samples[0, round(click * SOUND_RATE) : round((click + 0.001) * SOUND_RATE)] = 20000
    return samples


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    pts: list[int] | None = None,
    time_base: Fraction = Fraction(1, 25000),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    sound: np.ndarray | None = None,
    rotation: int = 0,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write `frames` with times `pts` in `time_base` (25 a second, where None) and mono `sound` at `SOUND_RATE`."""
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(
            codec, rate=25, options=options or ({"crf": "12", "preset": "superfast"} if codec == "libx264" else {})
        )
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=SOUND_RATE, layout="mono") if sound is not None else None
        for index, pixels in enumerate(frames):
            kind = {np.dtype(np.uint8): "rgb24", np.dtype(np.uint16): "rgb48le"}[pixels.dtype]
            if not index:
                stream.width, stream.height = pixels.shape[1], pixels.shape[0]
            frame = av.VideoFrame.from_ndarray(pixels, format=kind).reformat(format=pixel_format)
            frame.pts, frame.time_base = (pts[index] if pts else round(index / 25 / time_base)), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None and sound is not None:
            for start in range(0, sound.shape[1] - 1023, 1024):
                block = av.AudioFrame.from_ndarray(sound[:, start : start + 1024], format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


def read_video(path: Path) -> tuple[list[Fraction], list[np.ndarray]]:
    """Times in seconds and RGB frames, as stored."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.pts * frame.time_base for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def moving(portrait: np.ndarray, count: int) -> list[np.ndarray]:
    """`count` frames of `SIZE` with the portrait on a path of its own."""
    return [
        place_portrait(portrait, SIZE, (140 + 2 * i, 120 + 10 * np.sin(i / 6)), 4 * np.sin(i / 8)) for i in range(count)
    ]


def packets(path: Path, kind: str) -> list[bytes]:
    """The packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        return [
            bytes(packet)
            for packet in container.demux(next(stream for stream in container.streams if stream.type == kind))
            if packet.size
        ]


@pytest.fixture(scope="session")
def videos() -> ModuleType:
    """The functions of this file; test files cannot import each other."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def swapper() -> Swapper:
    return facechange.load("facechange-256", threads=1)


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    return read_example("target", 256)


@pytest.fixture(scope="session")
def source() -> Path:
    return EXAMPLES / "source.jpg"


@pytest.fixture(scope="session")
def assignment(swapper: Swapper, source: Path) -> FixedIdentity:
    return assign_sources(swapper, [source])


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def grant_for(source: Path) -> Callable[[Path], Grant]:
    return lambda video: require_grant(load_context(), CONSENT, [source], [video])


@pytest.fixture(scope="session")
def clip(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames at a variable rate, with clicks and metadata."""
    rng = np.random.default_rng(0)
    pts = [1000 * i + int(rng.integers(-300, 300)) * (i > 0) for i in range(30)]
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(
        path, moving(portrait, 30), pts=pts, sound=make_clicks(1.2), metadata={"title": "A walk", "comment": "by hand"}
    )
