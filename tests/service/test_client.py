"""The client and the terminal of Fig. 1 against the service; the tables."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient

import facechange.client
from facechange.client import AsyncClient, Client, ServerError
from facechange.core import ConsentError, OutputError, SettingsError
from facechange.service.app import create_app
from facechange.service.service import Service
from facechange.service.tables import Base
from facechange.service.worker import Worker

CONSENT = "Ana Lima and I agreed to this on 3 May 2025."


@pytest.fixture
def files(tmp_path: Path, picture: Callable[..., bytes]) -> tuple[Path, Path]:
    (tmp_path / "ann.jpg").write_bytes(picture({(200, 150): (240, 60, 60)}))
    (tmp_path / "scene.jpg").write_bytes(picture())
    return tmp_path / "ann.jpg", tmp_path / "scene.jpg"


@pytest.fixture
def transport(service: Service, worker: Worker) -> httpx.BaseTransport:
    return TestClient(create_app(service, worker.wake.set))._transport


def test_the_client(
    transport: httpx.BaseTransport, key_of: Callable[..., str], files: tuple[Path, Path], tmp_path: Path
) -> None:
    with Client("http://testserver", key_of(), transport) as client:
        source, target = client.put(files[0]), client.put(files[1])
        assert len(client.faces(target.id)) == 2
        job = client.wait(client.change(target.id, {source.id: "left"}, consent=CONSENT, wait=False))
        assert client.save(job, tmp_path / "out.jpg").read_bytes().startswith(b"\xff\xd8")
        with pytest.raises(ServerError, match="no picture or video") as caught:
            client.change(target.id, ["pic_nobody"], consent=CONSENT)
        assert caught.value.exit_code == 3 and caught.value.status == 404
        with pytest.raises(ServerError) as caught:
            client.change(target.id, [source.id], consent="yes")
        assert caught.value.exit_code == ConsentError.exit_code
        assert client.delete(source.id)["sha256"] == source.sha256


class Breaking(httpx.BaseTransport):
    """A connection that breaks at every second part, sometimes after the server has it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner, self.parts = inner, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.parts += request.method == "PATCH"
        breaks = request.method == "PATCH" and self.parts % 2
        if breaks and self.parts % 4 == 1:
            raise httpx.ReadError("cut before it left")
        answer = self.inner.handle_request(request)
        if breaks:
            raise httpx.ReadError("cut before the answer")
        return answer


def test_a_large_file_goes_on_after_a_broken_connection(
    transport: httpx.BaseTransport,
    key_of: Callable[..., str],
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facechange.client, "RESUMABLE_BYTES", 3000)
    monkeypatch.setattr(facechange.client, "POLL_SECONDS", 0.001)
    breaking = Breaking(transport)
    with Client("http://testserver", key_of(), breaking) as client:
        item = client.put(files[1], name="ä scene.jpg")
        assert item.bytes == files[1].stat().st_size > 4 * 3000 and item.name == "ä scene.jpg"
        assert item.sha256 == hashlib.sha256(files[1].read_bytes()).hexdigest()
        assert breaking.parts > item.bytes / 3000
        (tmp_path / "wrong.jpg").write_bytes(bytes(7000))
        with pytest.raises(ServerError, match="no picture or video") as caught:
            client.put(tmp_path / "wrong.jpg")
        assert caught.value.status == 415
        breaking.handle_request = lambda request: (_ for _ in ()).throw(httpx.ConnectError("away"))  # type: ignore
        with pytest.raises(OutputError):
            client.put(files[1])


def test_the_asynchronous_client(
    transport: httpx.BaseTransport, key_of: Callable[..., str], files: tuple[Path, Path], tmp_path: Path
) -> None:
    async def run() -> Path:
        async with AsyncClient("http://testserver", key_of(), transport) as client:
            target = await client.put(files[1])
            job = await client.wait(await client.anonymize(target.id, fallback="box", wait=False))
            return await client.save(job, tmp_path / "out.jpg")

    with ThreadPoolExecutor(1) as thread:  # browser tests leave a loop running in this one
        saved = thread.submit(lambda: asyncio.run(run())).result()
    assert saved.read_bytes().startswith(b"\xff\xd8")


def test_swap_on_a_server(
    transport: httpx.BaseTransport,
    key_of: Callable[..., str],
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from typer.testing import CliRunner

    from facechange.cli.app import app

    monkeypatch.setattr(facechange.client.httpx, "Client", _through(httpx.Client, transport))
    command = ["swap", *map(str, files), "-o", str(tmp_path / "out.jpg"), "--consent", CONSENT, "--face", "left"]
    command += ["--server", "http://testserver"]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, SettingsError) and "FACECHANGE_KEY" in str(refused.exception)
    key = key_of()
    done = CliRunner().invoke(app, command, env={"FACECHANGE_KEY": key})
    assert done.exit_code == 0, done.exception
    assert "1 face changed" in done.output and (tmp_path / "out.jpg").read_bytes().startswith(b"\xff\xd8")
    wrong = CliRunner().invoke(app, [*command, "--face", "9"], env={"FACECHANGE_KEY": key})
    assert wrong.exit_code != 0
    with httpx.Client(
        base_url="http://testserver", headers={"Authorization": f"Bearer {key}"}, transport=transport
    ) as asking:
        assert asking.get("/v1/library").json()["items"] == [], "nothing stays on the server"


def _through(kind: Any, transport: httpx.BaseTransport) -> Any:
    return lambda **options: kind(**{**options, "transport": transport})


def test_pictures_that_come_with_the_request(client: TestClient, picture: Callable[..., bytes]) -> None:
    body = '{"target": "file:scene", "rules": [{"sources": ["file:ann"], "selector": "left"}], "consent": "synthetic"}'
    sent = {"scene": ("s.jpg", picture()), "ann": ("a.jpg", picture({(200, 150): (240, 60, 60)}))}
    job = client.post("/v1/changes", files=sent, data={"request": body}).json()
    assert job["state"] == "done" and client.get(f"/v1/library/{job['target']}").json()["expires"]
    found = client.post("/v1/verify", files={"file": ("x.jpg", client.get(f"/v1/jobs/{job['id']}/result").content)})
    told = found.json()
    assert told["as_signed"] and told["signed"]["signed_here"] and told["file"] == "x.jpg"
    assert any("facechange" in sentence for sentence in told["sentences"])


def test_the_migrations_make_the_tables(service: Service) -> None:
    with service.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
