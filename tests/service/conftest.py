"""An installation in a folder, with toy networks for a worker in a thread, and clients of two tenants."""

from __future__ import annotations

import importlib.util
import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from facechange.consent import load_context
from facechange.service.app import create_app
from facechange.service.keys import SCOPES, add_tenant, make_key
from facechange.service.service import Service, open_service
from facechange.service.settings import ServiceSettings
from facechange.service.tables import ALL
from facechange.service.worker import Worker
from facechange.swap import Swapper

ORANGE, BLUE = (230, 140, 60), (240, 90, 20)


def encode(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=95)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL for these tests, each of which has a database of its own in it."""
    spec = importlib.util.spec_from_file_location("service_postgres", Path(__file__).with_name("postgres.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    programs = module.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian: apt-get install postgresql)")
    server = module.PostgreSQL(programs)
    yield server
    server.stop()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("bucket", marks=pytest.mark.slow),
    ]
)
def service_settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """SQLite and a folder; with the slow tests also a database of PostgreSQL, and a bucket."""
    database = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else ""
    store = f"{request.getfixturevalue('bucket')}/files" if request.param == "bucket" else ""
    return ServiceSettings(
        tmp_path / "service",
        database=database,
        store=store,
        lease_seconds=5.0,
        decoding_seconds=20.0,
        requests_per_minute=100_000,
        answer_seconds=120.0,
    )


@pytest.fixture
def service(service_settings: ServiceSettings) -> Iterator[Service]:
    service = open_service(service_settings, load_context())
    yield service
    service.database.engine.dispose()


@pytest.fixture
def worker(service: Service, toy_swapper: Swapper) -> Iterator[Worker]:
    worker = Worker(service, lambda model: toy_swapper)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    yield worker
    worker.end()
    thread.join(20)


@pytest.fixture
def key_of(service: Service) -> Callable[..., str]:
    def make(tenant: str = "first", scopes: tuple[str, ...] = SCOPES, expires: float | None = None) -> str:
        with service.database.session(ALL) as session:
            add_tenant(session, tenant)
            return make_key(session, tenant, "test", scopes, expires)[1]

    return make


@pytest.fixture
def client_of(service: Service, worker: Worker, key_of: Callable[..., str]) -> Callable[..., TestClient]:
    app = create_app(service, worker.wake.set)

    def make(*args: Any, **options: Any) -> TestClient:
        headers = {"Authorization": f"Bearer {key_of(*args, **options)}"}
        return TestClient(app, headers=headers, raise_server_exceptions=False)

    return make


@pytest.fixture
def client(client_of: Callable[..., TestClient]) -> TestClient:
    return client_of()


@pytest.fixture
def anonymous(service: Service, worker: Worker) -> TestClient:
    return TestClient(create_app(service, worker.wake.set), raise_server_exceptions=False)


@pytest.fixture
def address(service: Service, worker: Worker) -> Iterator[tuple[str, int]]:
    """Host and port of a real web server, for what a client can do to a connection."""
    config = uvicorn.Config(create_app(service, worker.wake.set), port=0, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="session")
def picture(faces_picture: Callable[..., np.ndarray]) -> Callable[..., bytes]:
    """A JPEG with two faces, or those of `centres`."""

    def make(centres: dict[tuple[int, int], tuple[int, int, int]] | None = None, kind: str = "JPEG") -> bytes:
        return encode(faces_picture({(110, 150): ORANGE, (290, 150): ORANGE} if centres is None else centres), kind)

    return make


@pytest.fixture
def put(client: TestClient) -> Callable[..., dict[str, Any]]:
    def upload(data: bytes, name: str = "photo.jpg", by: TestClient | None = None, **form: str) -> dict[str, Any]:
        answer = (by or client).post("/v1/library", files={"file": (name, data)}, data=form)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return upload


def limited(service: Service, **limits: Any) -> Service:
    return replace(service, settings=replace(service.settings, **limits))
