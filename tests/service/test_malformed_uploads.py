"""Hundreds of bad uploads: no fault of the service, no file left, no worker lost, no memory kept."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from facechange.service import security
from facechange.service.service import Service

COUNT = int(os.environ.get("FACECHANGE_TEST_UPLOADS", "150"))
KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")


def left(service: Service) -> list[str]:
    """Files of work and parts of files in the store; what became an entry is none."""
    work = [path.name for path in (service.settings.home / "work").rglob("*") if path.is_file()]
    return work + [name for _, name in service.store.find_old(-60) if name.endswith(".part")]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, bits: int = 1) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bombs() -> Iterator[bytes]:
    """Much in few bytes: of pixels, of lies about pixels, of text, of an embedded profile, of frames."""
    yield png(10_100, 10_000, zlib.compress(bytes(1263 * 10_000), 9))  # 101 megapixels
    yield png(9_000, 9_000, zlib.compress(bytes(5), 9))  # says 81 megapixels, has none
    yield png(2**31 - 1, 2**31 - 1, zlib.compress(bytes(100), 9))
    yield png(0, 0, zlib.compress(b"", 9))
    text = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(300 << 20), 9))
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(300 << 20), 9))
    plain = png(8, 8, zlib.compress(bytes(16), 9))
    for part in (text, profile):
        yield plain[:33] + part + plain[33:]
    frames = [Image.new("P", (3000, 3000), number) for number in range(40)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    yield out.getvalue()
    huge = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(huge, "TIFF", compression="group4")
    yield huge.getvalue()
    yield b"P6 100000 100000 255\n" + bytes(1000)
    yield b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 100_000, 100_000, 1, 24, 0, 0, 1, 1, 0, 0)


def bad_files(whole: dict[str, bytes], clip: bytes, count: int) -> Iterator[bytes]:
    yield from bombs()
    yield from (b"", b"hello", b"%PDF-1.7", b"GIF89a", b"\x1a\x45\xdf\xa3" + bytes(500), b"RIFF\0\0\0\0WEBPVP8 ")
    yield from (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"PK\3\4" + bytes(100), b"\x7fELF" + bytes(100))
    yield from (b"\0\0\0\x18ftypmp42" + bytes(80), b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n", b"ffconcat version 1.0\n")
    draw, kinds = np.random.default_rng(5), [*whole.values(), clip]
    for number in range(count):
        data = kinds[number % len(kinds)]
        way = number % 3
        if way == 0:
            yield data[: int(draw.integers(1, len(data)))]
        elif way == 1:
            noisy = bytearray(data)
            for place in draw.integers(0, len(data), int(draw.integers(1, 200))):
                noisy[place] = int(draw.integers(256))
            yield bytes(noisy)
        else:  # two files in one, and bytes moved
            cut = int(draw.integers(1, len(data)))
            yield data[:cut] + kinds[(number + 1) % len(kinds)][cut:] + data[:99]


@pytest.fixture
def whole(picture: Callable[..., bytes]) -> dict[str, bytes]:
    return {kind: picture(kind=kind) for kind in KINDS}


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return (tmp_path / "clip.mp4").read_bytes()


def memory_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.mark.slow
def test_bad_files_are_refused_and_leave_nothing(
    client: TestClient, service: Service, whole: dict[str, bytes], clip: bytes, put: Callable[..., dict[str, Any]]
) -> None:
    put(whole["JPEG"])
    before, counted = memory_mib(), {201: 0}
    for number, data in enumerate(bad_files(whole, clip, COUNT)):
        answer = client.post("/v1/library", files={"file": (f"{number}.jpg", data)})
        assert answer.status_code in (201, 413, 415, 422), (number, answer.text)
        counted[answer.status_code] = counted.get(answer.status_code, 0) + 1
        if answer.status_code == 201:  # a change that harms no decoder
            assert client.delete(f"/v1/library/{answer.json()['id']}").status_code == 200
        else:
            assert answer.json()["remedy"] or answer.json()["detail"]
    print(f"{sum(counted.values())} uploads: {counted}; memory {memory_mib() - before:+.0f} MiB")
    assert left(service) == []
    assert len(list(service.store.find_old(-60))) == 2, "the good one and its thumbnail"
    assert memory_mib() - before < 400
    assert len(client.post("/v1/faces", json={"picture": put(whole["PNG"])["id"]}).json()["faces"]) == 2


def half_sent(address: tuple[str, int], key: str, data: bytes, pause: float = 0.0) -> bytes:
    """Announce all of `data` and send half of it; what was answered, where that was waited for."""
    head = "POST /v1/library HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    head += f"Authorization: {key}\r\nContent-Length: {len(data) + 500}\r\n\r\n"
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + data
    with socket.create_connection(address) as line:
        line.settimeout(30)
        line.sendall(head.encode())
        for start in range(0, len(body) // 2, 4096):
            line.sendall(body[start : start + 4096])
            time.sleep(pause)
        if not pause:
            return b""
        return line.recv(4096)


def test_a_file_that_trickles_in_is_given_up(
    client: TestClient, service: Service, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(security, "SLOWEST_BYTES", 100_000)
    began = time.monotonic()
    key = client.headers["Authorization"]
    assert trickle(address, key).startswith(b"HTTP/1.1 408") and time.monotonic() - began < 10
    assert left(service) == []


def trickle(address: tuple[str, int], key: str) -> bytes:
    """Send a byte now and then until there is an answer."""
    head = "POST /v1/library HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with socket.create_connection(address) as line:
        line.sendall(f"{head}Authorization: {key}\r\nContent-Length: 9999999\r\n\r\n".encode())
        line.sendall(b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n')
        line.settimeout(0.1)
        while True:
            line.sendall(b"-")
            try:
                return line.recv(4096)
            except TimeoutError:
                continue


def test_half_sent_and_slow_uploads_leave_nothing(
    client: TestClient,
    service: Service,
    address: tuple[str, int],
    whole: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(security, "SILENCE_SECONDS", 1.0)
    key, data = client.headers["Authorization"], whole["PNG"] * 5
    answers: list[bytes] = []
    senders = [threading.Thread(target=half_sent, args=(address, key, data)) for _ in range(20)]
    senders += [
        threading.Thread(target=lambda: answers.append(half_sent(address, key, data, pause=0.002))) for _ in range(10)
    ]
    [sender.start() for sender in senders]
    [sender.join(60) for sender in senders]
    assert len(answers) == 10 and all(answer.startswith(b"HTTP/1.1 408") for answer in answers), answers
    end = time.monotonic() + 10
    while left(service) and time.monotonic() < end:
        time.sleep(0.1)
    assert left(service) == [] and client.get("/v1/library").json()["items"] == []
    assert client.post("/v1/library", files={"file": ("x.png", whole["PNG"])}).status_code == 201
