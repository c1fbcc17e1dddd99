"""A video played as a camera, a real HTTP client that reads it, and what happens to those who are slow."""

import http.client
import io
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from facechange.consent import Grant, load_context
from facechange.core import ConsentError, DependencyError, FaceError, OutputError, VideoError
from facechange.faces.select import FaceSelector
from facechange.images import read_xmp
from facechange.provenance import LivePublication, PublishedFrame
from facechange.provenance.statement import parse_statement
from facechange.swap import Swapper, assign_sources
from facechange.swap.live import (
    Capture,
    MjpegServer,
    Pace,
    VirtualCamera,
    Window,
    has_windows,
    parse_address,
    parse_input,
    request_live,
    run_live,
)
from facechange.swap.live.latest import Latest
from facechange.swap.live.one_euro import OneEuroFilter
from facechange.swap.live.swap_frame import LiveSwapper

CONSENT = "Nobody in these pictures exists."


class Collector:
    """A sink that keeps what it is shown, as slowly as it is told."""

    def __init__(self, pause_s: float = 0.0, wanted: int = 1000) -> None:
        self.frames: list[PublishedFrame] = []
        self._pause_s = pause_s
        self._wanted = wanted

    def show(self, frame: PublishedFrame) -> bool:
        time.sleep(self._pause_s)
        self.frames.append(frame)
        return len(self.frames) < self._wanted

    def close(self) -> None:
        pass


@pytest.fixture
def grant(source: Path, clip: Path) -> Grant:
    return request_live(load_context(), [source], clip, CONSENT)


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    server = MjpegServer(("127.0.0.1", 0))
    yield server
    server.close()


def connect(server: MjpegServer, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=5)
    connection.request("GET", path, headers=headers or {})
    return connection.getresponse()


def read_part(response: http.client.HTTPResponse) -> bytes:
    """The next JPEG of a multipart stream."""
    head = {}
    while True:
        line = response.readline().strip()
        if not line and head:
            break
        if b":" in line:
            name, _, value = line.partition(b":")
            head[name.lower()] = value.strip()
    return response.read(int(head[b"content-length"]))


def test_a_file_is_played_at_its_rate_and_changed(
    swapper: Swapper, source: Path, clip: Path, frames: list[np.ndarray], grant: Grant
) -> None:
    collector, paces = Collector(), list[Pace]()
    started = time.monotonic()
    capture = Capture(parse_input(str(clip)))
    shown = run_live(swapper, assign_sources(swapper, [source]), capture, [collector], grant=grant, report=paces.append)
    assert shown + capture.dropped == len(frames)
    assert shown == len(collector.frames) >= 5
    assert time.monotonic() - started > 29 / 25 * 0.9
    assert all(pace.latency_ms > 0 and pace.faces == 1 for pace in paces)
    last = collector.frames[-1].pixels.astype(int)
    face = swapper.detect(frames[-1])[0]
    x, y, width, height = map(int, face.box)
    assert np.abs(last - frames[-1])[y : y + height, x : x + width].mean() > 4  # the face is another one
    assert np.abs(last - frames[-1])[:, :16].mean() < 3  # what is not the face only went through the video
    assert np.abs(last - frames[-1])[-20:, -25:].max() > 60  # the label


def test_every_face_stays_changed_and_still_while_it_moves(
    swapper: Swapper, source: Path, frames: list[np.ndarray]
) -> None:
    live = LiveSwapper(swapper, assign_sources(swapper, [source]))
    middles = []
    for number, frame in enumerate(frames):
        changed = frame.copy()
        faces = live.step(changed, number / 25)
        assert len(faces) == 1 and not np.array_equal(changed, frame)
        middles.append(faces[0].points.mean(0))
    steps = np.diff(np.array(middles), axis=0)[5:]
    assert np.abs(steps[:, 0].mean() - 2) < 0.5  # it keeps up with 2 px a frame
    with pytest.raises(FaceError, match="boss"):
        LiveSwapper(swapper, assign_sources(swapper, [source]), FaceSelector.parse("boss"))


def test_a_grey_camera_stays_grey(swapper: Swapper, source: Path, frames: list[np.ndarray]) -> None:
    live = LiveSwapper(swapper, assign_sources(swapper, [source]))
    for number, frame in enumerate(frames[:5]):
        grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        changed = grey.copy()
        assert live.step(changed, number / 25) and not np.array_equal(changed, grey)
        assert np.ptp(changed, axis=2).max() == 0


def test_frames_leave_marked_and_their_jpegs_state_what_they_are(
    swapper: Swapper,
    source: Path,
    frames: list[np.ndarray],
    grant: Grant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = LivePublication(grant, swapper.card).publish_frame(frames[0], [])
    assert (frame.pixels != frames[0]).any(2).mean() < 0.05 and (frame.pixels != frames[0]).any()
    (tmp_path / "frame.jpg").write_bytes(frame.jpeg)
    statement = parse_statement(read_xmp(tmp_path / "frame.jpg"))
    assert statement["consent"] == CONSENT
    assert statement["digital_source_type"].endswith("compositeWithTrainedAlgorithmicMedia")
    decoded = np.asarray(Image.open(io.BytesIO(frame.jpeg)))
    assert np.abs(decoded.astype(int) - frame.pixels).mean() < 4
    settings = tmp_path / "settings.toml"
    settings.write_text('[marking]\nlabel = true\nlabel_text = "Made with a model"\nwatermark = true\n')
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(settings))
    longer = LivePublication(replace(grant, context=load_context()), swapper.card).publish_frame(frames[0], [])
    assert (longer.pixels != frames[0]).sum() > 2 * (frame.pixels != frames[0]).sum()  # once, with the operator's words


def test_a_browser_gets_the_page_and_the_newest_frames(swapper: Swapper, server: MjpegServer, grant: Grant) -> None:
    publication = LivePublication(grant, swapper.card)
    page = connect(server, "/")
    assert page.status == 200 and b'src="/live.mjpg"' in page.read()
    stream = connect(server, "/live.mjpg")
    assert stream.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
    assert stream.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    for shade in (40, 200):
        server.show(publication.publish_frame(np.full((240, 320, 3), shade, np.uint8), []))
        picture = np.asarray(Image.open(io.BytesIO(read_part(stream))))
        assert abs(int(picture[20, 20, 0]) - shade) < 4
    assert connect(server, "/../secret").status == 404
    assert connect(server, "/", {"Host": "evil.example"}).status == 403
    assert connect(server, "/", {"Host": "localhost:1"}).status == 200


def test_a_slow_viewer_gets_the_newest_frame_and_costs_no_memory(
    swapper: Swapper, server: MjpegServer, grant: Grant
) -> None:
    publication = LivePublication(grant, swapper.card)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    frame = publication.publish_frame(noise, [])
    stuck = connect(server, "/live.mjpg")  # never reads on
    tracemalloc.start()
    for _ in range(10):
        server.show(frame)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(60):
        server.show(PublishedFrame(frame.pixels, b""))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4 * len(frame.jpeg), grown
    stuck.close()


def test_viewers_that_go_away_and_too_many_viewers(swapper: Swapper, server: MjpegServer, grant: Grant) -> None:
    publication = LivePublication(grant, swapper.card)
    viewers = [connect(server, "/live.mjpg") for _ in range(16)]
    assert connect(server, "/live.mjpg").status == 503
    viewers.pop().close()
    frame = publication.publish_frame(np.zeros((240, 320, 3), np.uint8), [])
    deadline = time.monotonic() + 5
    while (again := connect(server, "/live.mjpg")).status == 503 and time.monotonic() < deadline:
        server.show(frame)
        time.sleep(0.01)
    assert again.status == 200
    for viewer in (*viewers, again):
        viewer.close()


def test_a_slow_consumer_drops_the_oldest_and_sees_what_is_new(
    swapper: Swapper, source: Path, clip: Path, frames: list[np.ndarray], grant: Grant
) -> None:
    slow = Collector(pause_s=0.25)
    capture = Capture(clip)
    shown = run_live(swapper, assign_sources(swapper, [source]), capture, [slow], grant=grant)
    assert shown + capture.dropped == len(frames)
    assert shown <= 7 and capture.dropped >= 20
    last = np.abs(slow.frames[-1].pixels.astype(int) - frames[-1]).mean()
    assert last < np.abs(slow.frames[-1].pixels.astype(int) - frames[-10]).mean()  # the last frame, not one of a queue


def test_a_sink_that_wants_no_more_ends_the_run(swapper: Swapper, source: Path, clip: Path, grant: Grant) -> None:
    capture = Capture(clip)
    assert run_live(swapper, assign_sources(swapper, [source]), capture, [Collector(wanted=2)], grant=grant) == 2


def test_the_newest_is_all_that_waits() -> None:
    latest: Latest[int] = Latest()
    assert latest.take(0, 0.01) is None
    for number in range(5):
        latest.put(number)
    assert latest.take(0, 0.01) == (5, 4)
    assert latest.take(5, 0.01) is None
    threading.Timer(0.05, latest.put, [9]).start()
    assert latest.take(5, 5) == (6, 9)
    latest.close()
    assert latest.take(5, 5) == (6, 9) and latest.take(6, 60) is None


def test_points_of_a_still_face_rest_and_those_of_a_moving_one_keep_up() -> None:
    random, size = np.random.default_rng(0), 100.0
    still, moving = OneEuroFilter(), OneEuroFilter()
    face = random.uniform(0, size, (5, 2))
    rested, behind = [], 0.0
    for number in range(100):
        rested.append(still.step(face + random.normal(0, 1, (5, 2)), size, number / 25))
        place = face + np.array([4 * number, 0])  # a size of the face a second
        behind = float(np.abs(moving.step(place, size, number / 25) - place).max())
    jitter = np.diff(np.array(rested[10:]), axis=0).std()
    assert jitter < 0.5 * np.sqrt(2)
    assert behind < 0.03 * size


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:80", ("::1", 80)),
        (":99", ("127.0.0.1", 99)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address
    for wrong in ("", "host", "1:70000", "host:port"):
        with pytest.raises(OutputError):
            parse_address(wrong)


def test_inputs_sinks_and_consent_that_cannot_be(source: Path, clip: Path, tmp_path: Path, server: MjpegServer) -> None:
    for wrong in ("nothing.mp4", "file:///etc/passwd", "concat:a|b", ""):
        with pytest.raises(VideoError):
            parse_input(wrong)
    assert parse_input("3") == 3 and parse_input("rtsp://u:p@host/x") == "rtsp://u:p@host/x"
    with pytest.raises(VideoError, match="from camera 97"):
        Capture(97)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"from text\.mp4"):
        Capture(tmp_path / "text.mp4")
    with pytest.raises(OutputError, match="Nothing can be served"):
        MjpegServer(("127.0.0.1", int(server.url.split(":")[2].strip("/"))))
    if not has_windows():
        with pytest.raises(DependencyError, match="--mjpeg"):
            Window()
    with pytest.raises(ConsentError):
        request_live(load_context(), [source], clip, None)


def test_an_operator_who_wants_records_of_targets_lets_no_camera_in(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert request_live(load_context(), [source], 0, CONSENT).statement == CONSENT
    (tmp_path / "settings.toml").write_text("[consent]\ntarget_record = true\n")
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(tmp_path / "settings.toml"))
    with pytest.raises(ConsentError, match="camera 0"):
        request_live(load_context(), [source], 0, CONSENT)


def test_a_virtual_camera_gets_frames_of_the_size_it_was_opened_with(
    swapper: Swapper, grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for pyvirtualcam, whose driver few machines have."""

    class Camera:
        def __init__(self, width: int, height: int, fps: float) -> None:
            if width > 400:
                raise RuntimeError("no driver")
            self.width, self.height, self.sent = width, height, list[np.ndarray]()
            self.send, self.close = self.sent.append, lambda: None
            opened.append(self)

    opened: list[Camera] = []
    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=Camera))
    publication = LivePublication(grant, swapper.card)
    shown = [
        publication.publish_frame(np.zeros((height, width, 3), np.uint8), [])
        for width, height in ((320, 240), (640, 480))
    ]
    virtual = VirtualCamera()
    assert all(virtual.show(frame) for frame in shown)
    virtual.close()
    assert [frame.shape for frame in opened[0].sent] == [(240, 320, 3)] * 2
    with pytest.raises(DependencyError, match="on this machine"):
        VirtualCamera().show(shown[1])
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(DependencyError, match="not installed"):
        VirtualCamera()
