"""kill -9 of server, workers and database under load: every accepted job ends exactly once, with the result that it has
undisturbed."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from facechange.service.service import Service
from facechange.service.tables import ALL, Item, Job

KILLS = int(os.environ.get("FACECHANGE_TEST_KILLS", "8"))
SEED = int(os.environ.get("FACECHANGE_TEST_SEED", "1"))
CONSENT = "Ana Lima and I agreed to this on 3 May 2025."
HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


class Process:
    """One that is killed and started again."""

    def __init__(self, command: list[str]) -> None:
        self._command = [sys.executable, *command]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Load:
    """Asks for changes, again by the same Idempotency-Key until they are accepted."""

    def __init__(self, client: httpx.Client, bodies: list[dict[str, Any]]) -> None:
        self._client, self._bodies = client, bodies
        self.accepted: dict[str, str] = {}  # job by Idempotency-Key
        self.troubles: Counter[str] = Counter()
        self.ending = threading.Event()

    def run(self, name: str, pause: float) -> None:
        number = 0
        while not self.ending.is_set():
            number += 1
            key = f"{name}-{number}"
            while key not in self.accepted:
                try:
                    body = self._bodies[number % len(self._bodies)]
                    answer = self._client.post("/v1/changes", json=body, headers={"Idempotency-Key": key})
                except httpx.HTTPError as error:
                    self.troubles[type(error).__name__] += 1
                    time.sleep(0.1)
                    continue
                if answer.status_code in (200, 202):
                    self.accepted[key] = answer.json()["id"]
                else:
                    assert answer.status_code == 503, answer.text
                    self.troubles["503"] += 1
                    time.sleep(0.1)
            time.sleep(pause)


def get_patiently(client: httpx.Client, place: str) -> httpx.Response:
    end = time.monotonic() + 180
    while True:
        try:
            answer = client.get(place)
            if answer.status_code < 500:
                return answer
        except httpx.HTTPError:
            pass
        assert time.monotonic() < end, f"{place} does not answer"
        time.sleep(0.1)


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_every_accepted_job_ends_exactly_once(
    request: pytest.FixtureRequest,
    service: Service,
    key_of: Callable[..., str],
    picture: Callable[..., bytes],
    identity_path: Path,
    change_path: Path,
) -> None:
    home, url, store = str(service.settings.home), service.settings.database, service.settings.store
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    worker = [str(HERE / "toy_worker.py"), home, str(identity_path), str(change_path), url, store, "1000"]
    parts: dict[str, Any] = {
        "server": Process([str(HERE / "toy_server.py"), home, url, store, str(port)]),
        **{f"worker {number}": Process(worker) for number in range(2)},
        **({"database": request.getfixturevalue("postgres")} if url else {}),
    }
    headers = {"Authorization": f"Bearer {key_of()}"}
    draw = np.random.default_rng(SEED)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=600) as client:
            get_patiently(client, "/healthz")
            put = [
                client.post("/v1/library", files={"file": (f"{n}.jpg", picture(centres))}).json()["id"]
                for n, centres in enumerate(({(200, 150): (240, 60, 60)}, None, {(100, 150): (230, 140, 60)}))
            ]
            bodies = [
                {"target": target, "rules": [{"sources": [put[0]]}], "consent": CONSENT, "wait": False}
                for target in put[1:]
            ]
            undisturbed = [_result(client, client.post("/v1/changes", json=body).json()["id"]) for body in bodies]
            load = Load(client, bodies)
            threads = [threading.Thread(target=load.run, args=(f"client {n}", 1.0), daemon=True) for n in range(2)]
            [thread.start() for thread in threads]
            killed: Counter[str] = Counter()
            for _ in range(KILLS):
                time.sleep(float(draw.uniform(0.2, 2.0)))
                name = str(draw.choice(list(parts)))
                parts[name].kill()
                killed[name] += 1
                time.sleep(float(draw.uniform(0.0, 0.5)))
                parts[name].start()
            load.ending.set()
            [thread.join(60) for thread in threads]
            jobs = [undisturbed[0][0], undisturbed[1][0], *load.accepted.values()]
            results = {job: _result(client, job)[1] for job in jobs}
            print(f"{dict(killed)}; {len(jobs)} jobs; {dict(load.troubles)}")
    finally:
        for name, part in parts.items():
            if name != "database":
                part.kill()
    with service.database.session(ALL) as session:
        items = Counter(session.scalars(select(Item.job).where(Item.job.is_not(None))))
        states = Counter(session.scalars(select(Job.state)))
        asked = {job.id: job.request["target"] for job in session.scalars(select(Job))}
    assert len(set(jobs)) == len(jobs) and set(items) == set(jobs) == set(asked), "each was accepted once"
    assert set(items.values()) == {1} and states == {"done": len(jobs)}
    for job, result in results.items():
        difference = np.abs(result.astype(int) - undisturbed[put[1:].index(asked[job])][1])
        assert difference.mean() < 1, "as undisturbed, but for the watermark's number"


def _result(client: httpx.Client, job: str) -> tuple[str, np.ndarray]:
    """A job, when it is over, and its result's pixels."""
    end = time.monotonic() + 180
    while (told := get_patiently(client, f"/v1/jobs/{job}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < end, told
        time.sleep(0.2)
    assert told["state"] == "done", told["problem"]
    return job, pixels_of(get_patiently(client, f"/v1/jobs/{job}/result").content)
