"""A bucket that is slow, answers with errors, hangs or is not there: 503 in words, and no job is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from facechange.consent import load_context
from facechange.service import store
from facechange.service.app import create_app
from facechange.service.service import Service, open_service
from facechange.service.settings import ServiceSettings
from facechange.service.store import Store
from facechange.service.tables import ALL, Item, Job
from facechange.service.worker import Worker
from facechange.swap import Swapper

s3fs = pytest.importorskip("s3fs")
CONSENT = "Ana Lima and I agreed to this on 3 May 2025."
ALL_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")


@pytest.fixture
def service_settings(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    patient = store._OPTIONS["s3"]["config_kwargs"]
    monkeypatch.setitem(store._OPTIONS["s3"], "config_kwargs", {**patient, "read_timeout": 0.8})
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 2)
    return ServiceSettings(tmp_path / "service", store=f"{bucket}/files", lease_seconds=2.0, attempts=2)


@pytest.fixture
def idle(service: Service, key_of: Callable[..., str]) -> TestClient:
    """A client of a server without workers."""
    headers = {"Authorization": f"Bearer {key_of()}"}
    return TestClient(create_app(service), headers=headers, raise_server_exceptions=False)


def fail(s3_server: Any, *methods: str) -> None:
    s3_server.failing.update(dict.fromkeys(methods, 10**6))


def send(client: TestClient, data: bytes, name: str = "a.jpg") -> Any:
    return client.post("/v1/library", files={"file": (name, data)})


def assert_away(answer: Any) -> None:
    told = answer.json()
    assert (answer.status_code, told["code"]) == (503, 74), answer.text
    assert told["detail"] == "The store of files cannot be reached." and told["remedy"]
    assert answer.headers["retry-after"] and answer.headers["content-type"] == "application/problem+json"


def ask(client: TestClient, picture: Callable[..., bytes]) -> str:
    """A job that waits."""
    source, target = (
        send(client, picture(each)).json()["id"] for each in ({(200, 150): (240, 60, 60)}, {(110, 150): (230, 140, 60)})
    )
    body = {"target": target, "rules": [{"sources": [source]}], "consent": CONSENT, "wait": False}
    return client.post("/v1/changes", json=body).json()["id"]


@pytest.mark.slow
def test_a_store_that_answers_slowly_is_waited_for(
    idle: TestClient, s3_server: Any, picture: Callable[..., bytes]
) -> None:
    s3_server.pause_s = 0.3
    item = send(idle, picture()).json()["id"]
    assert idle.get(f"/v1/library/{item}/content").content == picture()
    assert idle.delete(f"/v1/library/{item}").status_code == 200


@pytest.mark.parametrize("trouble", ["errors", pytest.param("silence", marks=pytest.mark.slow)])
def test_every_route_that_needs_the_store_says_that_it_is_away(
    idle: TestClient, service: Service, s3_server: Any, picture: Callable[..., bytes], trouble: str
) -> None:
    item = send(idle, picture()).json()["id"]
    if trouble == "errors":
        fail(s3_server, *ALL_METHODS)
    else:
        s3_server.pause_s = 1.5
    for answer in (
        send(idle, picture({(200, 150): (230, 140, 60)})),
        idle.get(f"/v1/library/{item}/content"),
        idle.get(f"/v1/library/{item}/content", headers={"Range": "bytes=5-9"}),
        idle.get(f"/v1/library/{item}/thumbnail"),
        idle.delete(f"/v1/library/{item}"),
    ):
        assert_away(answer)
    ready = idle.get("/readyz")
    assert ready.status_code == 503 and ready.json()["store"] == "away (StoreAwayError)"
    assert idle.get("/healthz").status_code == 200 and idle.get(f"/v1/library/{item}").status_code == 200
    s3_server.recover()
    time.sleep(1.6)  # what was asked and given up may still arrive
    assert [each["id"] for each in idle.get("/v1/library").json()["items"]] == [item], (
        "nothing half put or half deleted"
    )
    assert idle.get(f"/v1/library/{item}/content").content == picture() and idle.get("/readyz").status_code == 200
    assert not any((service.settings.home / "work").glob("upload-*"))


@pytest.mark.parametrize("methods", [ALL_METHODS, ("PUT",)], ids=["before it begins", "before its result is kept"])
def test_a_job_waits_for_the_store_and_is_done_once(
    idle: TestClient,
    service: Service,
    s3_server: Any,
    picture: Callable[..., bytes],
    toy_swapper: Swapper,
    methods: tuple[str, ...],
) -> None:
    job = ask(idle, picture)
    fail(s3_server, *methods)
    worker = Worker(service, lambda model: toy_swapper)
    for _ in range(4):  # more than a job has attempts
        with pytest.raises(store.StoreAwayError):
            worker.run_one()
        assert idle.get(f"/v1/jobs/{job}").json()["state"] == "queued"
    s3_server.recover()
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while (told := idle.get(f"/v1/jobs/{job}").json())["state"] != "done":
        assert time.monotonic() < end and told["state"] in ("queued", "running"), told
        time.sleep(0.1)
    worker.end()
    thread.join(20)
    assert idle.get(f"/v1/jobs/{job}/result").content.startswith(b"\xff\xd8")
    with service.database.session(ALL) as session:
        assert len(session.scalars(select(Item).where(Item.job == job)).all()) == 1
        assert session.get_one(Job, job).fence == 1


def test_a_store_that_is_not_there(
    service: Service, key_of: Callable[..., str], picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    nowhere = replace(service, store=Store("s3://elsewhere/files"))
    headers = {"Authorization": f"Bearer {key_of()}"}
    by = TestClient(create_app(nowhere), headers=headers, raise_server_exceptions=False)
    assert_away(send(by, picture()))
    assert by.get("/readyz").status_code == 503


def test_a_bucket_that_is_not_there(bucket: str, tmp_path: Path, picture: Callable[..., bytes]) -> None:
    service = open_service(ServiceSettings(tmp_path / "other", store=f"{bucket}-not/files"), load_context())
    (tmp_path / "a").write_bytes(picture())
    with pytest.raises(store.StoreAwayError):
        service.store.put(tmp_path / "a", "first", "aa11")
    with pytest.raises(store.StoreAwayError):
        service.store.check()
