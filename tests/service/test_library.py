"""The library: what goes in is looked at, comes out as it was, in ranges too, and is gone when it is deleted."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from facechange.service.app import create_app
from facechange.service.service import Service
from facechange.service.store import CHUNK_BYTES, Store


def stored(service: Service) -> list[str]:
    return [name for _, name in service.store.find_old(-60)]


def left(service: Service) -> list[str]:
    return [path.name for path in (service.settings.home / "work").glob("upload-*")]


def test_what_goes_in_comes_out(
    client: TestClient, service: Service, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    data = picture()
    item = put(data, "../../etc/My photo.txt")
    assert item["name"] == "My photo.txt" and item["kind"] == "photograph" and item["media_type"] == "image/jpeg"
    assert item["sha256"] == hashlib.sha256(data).hexdigest() and (item["width"], item["height"]) == (400, 300)
    place = f"/v1/library/{item['id']}"
    whole = client.get(f"{place}/content", params={"download": 1})
    assert whole.content == data and "attachment" in whole.headers["content-disposition"]
    part = client.get(f"{place}/content", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])
    assert client.get(f"{place}/content", headers={"Range": "bytes=-5"}).content == data[-5:]
    assert client.get(f"{place}/content", headers={"Range": "bytes=9999999-"}).status_code == 416
    with Image.open(io.BytesIO(client.get(f"{place}/thumbnail").content)) as small:
        assert small.format == "JPEG" and max(small.size) == 320
    assert not left(service)


def test_a_content_is_stored_once_and_gone_with_its_last_entry(
    client: TestClient, service: Service, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    one, other = put(picture()), put(picture())
    assert one["id"] != other["id"] and len(stored(service)) == 2  # the content and its thumbnail
    record = client.delete(f"/v1/library/{one['id']}").json()
    assert (record["id"], record["sha256"]) == (one["id"], one["sha256"]) and len(stored(service)) == 2
    client.delete(f"/v1/library/{other['id']}")
    assert stored(service) == [] and client.get(f"/v1/library/{one['id']}").status_code == 404


def test_lists_sets_and_patches(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    ann = client.post("/v1/sets", json={"name": "Ann", "kind": "person"}).json()
    items = [put(picture({(60 + 20 * index, 150): (230, 140, 60)}), set=ann["id"]) for index in range(3)]
    first = client.get("/v1/library", params={"set": ann["id"], "limit": 2}).json()
    rest = client.get("/v1/library", params={"set": ann["id"], "limit": 2, "before": first["next"]}).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [item["id"] for item in reversed(items)]
    assert rest["next"] is None and client.get(f"/v1/sets/{ann['id']}").json()["items"] == 3
    changed = client.patch(f"/v1/library/{items[0]['id']}", json={"name": "x.jpg", "set": None}).json()
    assert (changed["name"], changed["set"]) == ("x.jpg", None)
    client.patch(f"/v1/library/{items[1]['id']}", json={"expires": "2020-01-01T00:00:00Z"})
    assert client.get(f"/v1/library/{items[1]['id']}").status_code == 404
    assert client.get("/v1/library", params={"kind": "video"}).json()["items"] == []


def bomb(side: int) -> bytes:
    """A PNG of so many pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_malformed_uploads_are_refused_and_leave_nothing(
    client: TestClient, service: Service, picture: Callable[..., bytes]
) -> None:
    whole, draw = picture(), np.random.default_rng(0)
    noise = bytearray(whole)
    for place in draw.integers(2, len(whole), 400):
        noise[place] = int(draw.integers(256))
    cases = [b"", b"hello", os.urandom(500), whole[: len(whole) // 3], b"GIF89a", b"%PDF-1.7", bomb(20_000)]
    cases += [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\0\0\0\x18ftypmp42" + bytes(80), b"RIFF\0\0\0\0WEBPVP8 "]
    statuses = [client.post("/v1/library", files={"file": ("x.jpg", case)}).status_code for case in cases]
    assert set(statuses) <= {413, 415, 422} and statuses[6] == 413
    assert client.post("/v1/library", files={"file": ("x.jpg", bytes(noise))}).status_code in (201, 422)
    assert not left(service) and len(stored(service)) <= 2


def test_limits_before_anything_is_read(
    service: Service, key_of: Callable[..., str], picture: Callable[..., bytes]
) -> None:
    tight = replace(service, settings=replace(service.settings, largest_upload_bytes=5000, largest_pixels=1000))
    by = TestClient(create_app(tight), headers={"Authorization": f"Bearer {key_of()}"}, raise_server_exceptions=False)
    too_long = by.post("/v1/library", files={"file": ("x.jpg", bytes(2 << 20))})
    assert too_long.status_code == 413 and too_long.headers["content-type"] == "application/problem+json"

    def endless() -> Any:
        for _ in range(200):
            yield bytes(1 << 16)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert by.post("/v1/library", content=endless(), headers=headers).status_code == 413
    assert by.post("/v1/library", files={"file": ("x.jpg", picture()[:4000])}).status_code in (413, 422)


@pytest.mark.parametrize("size", [0, 10, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])
@pytest.mark.parametrize("key", [None, bytes(range(32))])
def test_a_stored_file_in_ranges(tmp_path: Any, size: int, key: bytes | None) -> None:
    data, store = os.urandom(size), Store(f"file://{tmp_path}/store", key)
    (tmp_path / "file").write_bytes(data)
    name = hashlib.sha256(data).hexdigest()
    store.put(tmp_path / "file", "ann", name)
    for start, end in ((0, size), (size // 2, size), (1, min(size, CHUNK_BYTES + 3)), (size // 3, size // 3 + 1)):
        assert b"".join(store.read("ann", name, start, end)) == data[start:end]
    place = next(path for path in (tmp_path / "store").rglob(name) if path.is_file())
    assert (data in place.read_bytes()) == (key is None) or size == 0


def test_a_sealed_file_that_was_altered_or_moved_is_refused(tmp_path: Any) -> None:
    data, store = os.urandom(2 * CHUNK_BYTES), Store(f"file://{tmp_path}/store", bytes(32))
    (tmp_path / "file").write_bytes(data)
    store.put(tmp_path / "file", "ann", "aa11")
    place = next(path for path in (tmp_path / "store").rglob("aa11") if path.is_file())
    sealed = place.read_bytes()
    for broken in (sealed[:-16], sealed[: len(sealed) // 2 + 6], sealed[:50] + bytes([sealed[50] ^ 1]) + sealed[51:]):
        place.write_bytes(broken)
        with pytest.raises(Exception, match="altered"):
            list(store.read("ann", "aa11", 0, len(data)))
