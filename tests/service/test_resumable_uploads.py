"""Resumable uploads: what arrived counts, whatever breaks; nothing stays of what was given up."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from facechange.service import resumable_upload_routes
from facechange.service.app import create_app
from facechange.service.image_library import remove_leftovers
from facechange.service.resumable_uploads import UPLOADS_PER_KEY, UploadWriter, delete_expired_uploads
from facechange.service.service import Service
from facechange.service.tables import ALL, ResumableUpload

TUS = {"Tus-Resumable": "1.0.0"}


def stored(service: Service) -> list[str]:
    return [name for _, name in service.store.find_old(-60)]


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


@pytest.fixture
def begin(client: TestClient) -> Callable[..., str]:
    def make(length: int, by: TestClient | None = None, **values: str) -> str:
        headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**values)}
        answer = (by or client).post("/v1/uploads", headers=headers)
        assert answer.status_code == 201 and answer.headers["tus-resumable"] == "1.0.0", answer.text
        assert answer.headers["upload-expires"].endswith("GMT")
        return answer.headers["location"]

    return make


def send(client: TestClient, place: str, offset: int, data: bytes, **headers: str) -> Any:
    told = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream", **headers}
    return client.patch(place, content=data, headers=told)


def offset_of(client: TestClient, place: str) -> int:
    return int(client.head(place, headers=TUS).headers["upload-offset"])


def test_a_file_in_parts_is_an_entry_as_any_other(
    client: TestClient, service: Service, begin: Callable[..., str], picture: Callable[..., bytes]
) -> None:
    data, ann = picture(), client.post("/v1/sets", json={"name": "Ann"}).json()["id"]
    place = begin(len(data), filename="../Ännchen.jpg", set=ann, expires="2100-01-01T00:00:00Z")
    for start in range(0, len(data), 3000):
        answer = send(client, place, start, data[start : start + 3000])
        assert answer.status_code == 204, answer.text
    item = client.get(f"/v1/library/{answer.headers['x-facechange-item']}").json()
    assert item["name"] == "Ännchen.jpg" and item["set"] == ann and item["expires"].startswith("2100")
    assert item["sha256"] == hashlib.sha256(data).hexdigest()
    assert (
        client.get(place).json()["item"] == item["id"] == client.head(place, headers=TUS).headers["x-facechange-item"]
    )
    assert send(client, place, len(data), b"").headers["x-facechange-item"] == item["id"], "asked again: the same"
    assert client.delete(place, headers=TUS).status_code == 204 and len(stored(service)) == 2
    assert not list((service.settings.home / "work").glob("upload-*"))


def test_it_tells_what_it_speaks(client: TestClient) -> None:
    told = client.options("/v1/uploads").headers
    assert told["tus-version"] == "1.0.0" and int(told["tus-max-size"]) == 2 << 30
    assert set(told["tus-extension"].split(",")) == {"creation", "expiration", "termination", "checksum"}


def test_what_does_not_fit_is_refused_and_changes_nothing(
    client: TestClient, begin: Callable[..., str], picture: Callable[..., bytes]
) -> None:
    data = picture()
    place = begin(len(data))
    assert client.post("/v1/uploads", headers={"Upload-Length": "5"}).headers["tus-version"] == "1.0.0"
    assert client.post("/v1/uploads", headers={"Upload-Length": "5"}).status_code == 412
    for length in ("0", "-1", "x"):
        assert client.post("/v1/uploads", headers={**TUS, "Upload-Length": length}).status_code == 422
    wrong = {**TUS, "Upload-Length": "5", "Upload-Metadata": "filename §"}
    assert client.post("/v1/uploads", headers=[(k.encode(), v.encode()) for k, v in wrong.items()]).status_code == 422
    assert send(client, place, 5, b"x").status_code == 409
    assert send(client, place, 0, data, **{"Content-Type": "image/jpeg"}).status_code == 415
    assert send(client, place, 0, data, **{"Tus-Resumable": "0.2.2"}).status_code == 412
    too_much = send(client, place, 0, data + b"x")
    assert too_much.status_code == 413 and too_much.headers["tus-resumable"] == "1.0.0"
    assert client.patch(place, headers={**TUS, "Content-Type": "application/offset+octet-stream"}).status_code == 422
    assert offset_of(client, place) == 0


def test_too_large_is_refused_at_creation(service: Service, key_of: Callable[..., str]) -> None:
    tight = replace(service, settings=replace(service.settings, largest_upload_bytes=5000))
    by = TestClient(create_app(tight), headers={"Authorization": f"Bearer {key_of()}"})
    assert by.post("/v1/uploads", headers={**TUS, "Upload-Length": "5001"}).status_code == 413
    assert by.post("/v1/uploads", headers={**TUS, "Upload-Length": "5000"}).status_code == 201


def test_checksums(client: TestClient, begin: Callable[..., str], picture: Callable[..., bytes]) -> None:
    data = picture()
    place = begin(len(data))
    for name in ("sha1", "sha256"):
        wrong = base64.b64encode(hashlib.new(name, b"else").digest()).decode()
        assert send(client, place, 0, data, **{"Upload-Checksum": f"{name} {wrong}"}).status_code == 460
    assert send(client, place, 0, data, **{"Upload-Checksum": "md5 abcd"}).status_code == 400
    assert offset_of(client, place) == 0
    right = base64.b64encode(hashlib.sha1(data).digest()).decode()
    assert send(client, place, 0, data, **{"Upload-Checksum": f"sha1 {right}"}).headers["x-facechange-item"]


def test_two_at_once_and_a_request_that_died(
    client: TestClient, service: Service, begin: Callable[..., str], picture: Callable[..., bytes]
) -> None:
    data = picture()
    place = begin(len(data))
    with service.database.session(ALL) as session:
        upload = session.get_one(ResumableUpload, place.rpartition("/")[2])
    slow = UploadWriter(service, upload)
    assert send(client, place, 0, data).status_code == 423
    with service.database.session(ALL) as session:  # no sign of life for too long
        session.execute(update(ResumableUpload).values(locked_until=time.time() - 1))
    assert send(client, place, 0, data[:5000]).status_code == 204
    part = service.settings.home / "late"
    part.write_bytes(b"late")
    with pytest.raises(Exception, match="went on"):
        slow.add(part)
    slow.release()
    assert offset_of(client, place) == 5000 and len(stored(service)) == 1
    assert send(client, place, 5000, data[5000:]).headers["x-facechange-item"]


def test_only_its_tenant_sees_it(
    client: TestClient, client_of: Callable[..., TestClient], begin: Callable[..., str]
) -> None:
    place, other = begin(10), client_of("second")
    assert other.get(place).status_code == 404 and other.head(place, headers=TUS).status_code == 404
    assert send(other, place, 0, b"x").status_code == 404 and other.delete(place, headers=TUS).status_code == 404
    assert offset_of(client, place) == 0
    theirs = other.post("/v1/sets", json={"name": "Bo"}).json()["id"]
    headers = {**TUS, "Upload-Length": "5", "Upload-Metadata": metadata(set=theirs)}
    assert client.post("/v1/uploads", headers=headers).status_code == 404
    assert client_of(scopes=("change",)).post("/v1/uploads", headers=headers).status_code == 403


def test_nothing_stays_of_what_is_no_picture_was_given_up_or_expired(
    client: TestClient, service: Service, begin: Callable[..., str]
) -> None:
    wrong, given_up, forgotten = begin(5000), begin(5000), begin(5000)
    for place in (wrong, given_up, forgotten):
        assert send(client, place, 0, bytes(4000)).status_code == 204
    assert len(stored(service)) == 3
    remove_leftovers(service, -1.0)
    assert len(stored(service)) == 3, "parts of uploads on their way are no leftovers"
    refused = send(client, wrong, 4000, bytes(1000))
    assert refused.status_code == 415 and refused.json()["remedy"] and client.get(wrong).status_code == 404
    assert client.delete(given_up, headers=TUS).status_code == 204 and client.get(given_up).status_code == 404
    with service.database.session(ALL) as session:
        session.execute(update(ResumableUpload).values(expires=time.time() - 1))
    assert client.head(forgotten, headers=TUS).status_code == 404
    assert send(client, forgotten, 4000, bytes(1000)).status_code == 404
    delete_expired_uploads(service)
    with service.database.session(ALL) as session:
        assert session.scalars(select(ResumableUpload)).all() == []
    assert stored(service) == []


def test_not_too_many_at_once(client: TestClient, begin: Callable[..., str]) -> None:
    for _ in range(UPLOADS_PER_KEY):
        begin(10)
    more = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "5"})
    assert more.status_code == 429 and more.headers["retry-after"]


def test_a_broken_connection_keeps_what_arrived(
    client: TestClient,
    address: tuple[str, int],
    begin: Callable[..., str],
    picture: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resumable_upload_routes, "PART_BYTES", 2000)
    monkeypatch.setattr(resumable_upload_routes, "WRITE_BYTES", 500)
    data = picture()
    place = begin(len(data))
    head = f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n"
    head += f"Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: {len(data)}\r\n"
    head += "Content-Type: application/offset+octet-stream\r\n\r\n"
    with socket.create_connection(address) as line:
        line.sendall(head.encode() + data[:5300])
        time.sleep(0.3)
        assert send(client, place, 0, data).status_code == 423
    end = time.monotonic() + 10
    while (answer := send(client, place, 5300, data[5300:])).status_code == 423 and time.monotonic() < end:
        time.sleep(0.05)
    assert answer.status_code == 204, answer.text
    item = client.get(f"/v1/library/{answer.headers['x-facechange-item']}").json()
    assert item["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_work_folder_that_another_worker_takes_away_meanwhile_stops_no_sweep(service: Service) -> None:
    work = service.settings.home / "work"
    (work / "job_old").mkdir(parents=True)
    (work / "job_gone").symlink_to("nowhere")  # listed, but gone when it is looked at
    remove_leftovers(service, -1.0)
    assert not (work / "job_old").exists()
