"""Jobs: none is lost, none has two results, whoever dies over them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from facechange.service import queue
from facechange.service.app import create_app
from facechange.service.execution import fetch_job_files
from facechange.service.service import Service
from facechange.service.tables import ALL, Item, Job
from facechange.service.worker import StopJob, Worker
from facechange.swap import Swapper

CONSENT = "Ana Lima and I agreed to this on 3 May 2025."


@pytest.fixture
def idle(service: Service, key_of: Callable[..., str]) -> TestClient:
    """A client of a server without workers."""
    headers = {"Authorization": f"Bearer {key_of()}"}
    return TestClient(create_app(service), headers=headers, raise_server_exceptions=False)


@pytest.fixture
def ask(idle: TestClient, picture: Callable[..., bytes]) -> Callable[..., dict[str, Any]]:
    ids: dict[str, str] = {}

    def make(headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        for name, centres in (("source", {(200, 150): (240, 60, 60)}), ("target", None)):
            if name not in ids:
                files = {"file": (f"{name}.jpg", picture(centres))}
                ids[name] = idle.post("/v1/library", files=files).json()["id"]
        body = {"target": ids["target"], "rules": [{"sources": [ids["source"]]}], "consent": CONSENT, "wait": False}
        answer = idle.post("/v1/changes", json={**body, **more}, headers=headers)
        return {**answer.json(), "http": answer.status_code, "where": answer.headers.get("location")}

    return make


def results(service: Service) -> list[Item]:
    with service.database.session(ALL) as session:
        return list(session.scalars(select(Item).where(Item.job.is_not(None))))


def test_a_job_that_a_worker_left_is_done_by_another_and_counts_once(
    service: Service, idle: TestClient, ask: Callable[..., dict[str, Any]], toy_swapper: Swapper
) -> None:
    job = ask()
    assert job["http"] == 202 and job["where"] == f"/v1/jobs/{job['id']}"
    dead = queue.claim(service.database, ("quick",), lease_seconds=-1.0, attempts=5)
    assert dead is not None and queue.claim(service.database, ("slow",), 5.0, 5) is None
    worker = Worker(service, lambda model: toy_swapper)
    assert worker.run_one() and not worker.run_one()
    assert idle.get(f"/v1/jobs/{job['id']}").json()["state"] == "done" and len(results(service)) == 1
    worker._do(dead)  # it was slow, not dead: its result does not count
    assert len(results(service)) == 1
    with service.database.session(ALL) as session:
        assert not queue.finish(session, dead, "failed")


def test_a_worker_that_was_slow_takes_nothing_from_the_one_that_took_over(
    service: Service, idle: TestClient, ask: Callable[..., dict[str, Any]], toy_swapper: Swapper
) -> None:
    job = ask()["id"]
    slow = queue.claim(service.database, ("quick",), -1.0, attempts=5)
    now = queue.claim(service.database, ("quick",), 60.0, attempts=5)
    assert slow is not None and now is not None and slow.fence < now.fence
    folder = service.work_folder(job)
    fetched = fetch_job_files(service, now, folder).paths
    worker = Worker(service, lambda model: toy_swapper)
    worker._do(slow)
    assert all(path.exists() for path in fetched.values()) and results(service) == []
    worker._do(now)
    assert idle.get(f"/v1/jobs/{job}").json()["state"] == "done" and not folder.exists()


def test_two_workers_never_have_one_job(service: Service, ask: Callable[..., dict[str, Any]]) -> None:
    wanted = {ask()["id"] for _ in range(6)}
    taken: list[str] = []

    def take() -> None:
        while job := queue.claim(service.database, ("quick",), 60.0, 5):
            taken.append(job.id)

    threads = [threading.Thread(target=take) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(taken) == sorted(wanted)


def test_a_job_over_which_workers_die_is_given_up(
    service: Service, idle: TestClient, ask: Callable[..., dict[str, Any]]
) -> None:
    job = ask()
    for _ in range(5):
        assert queue.claim(service.database, ("quick",), -1.0, attempts=5)
    assert queue.claim(service.database, ("quick",), -1.0, attempts=5) is None
    told = idle.get(f"/v1/jobs/{job['id']}").json()
    assert told["state"] == "failed" and told["problem"]["status"] == 500 and told["problem"]["remedy"]


def test_fair_between_keys_and_priority_first(
    service: Service, idle: TestClient, ask: Callable[..., dict[str, Any]], key_of: Callable[..., str]
) -> None:
    mine = [ask()["id"] for _ in range(3)]
    other = ask(headers={"Authorization": f"Bearer {key_of()}"})["id"]
    urgent = ask(priority=5)["id"]
    order = [queue.claim(service.database, ("quick",), 60.0, 5) for _ in range(3)]
    assert [job.id for job in order if job] == [urgent, other, mine[0]]


def test_idempotency(ask: Callable[..., dict[str, Any]]) -> None:
    once, again = ask({"Idempotency-Key": "a"}), ask({"Idempotency-Key": "a"})
    assert once["id"] == again["id"] and ask({"Idempotency-Key": "b"})["id"] != once["id"]
    assert ask({"Idempotency-Key": "a"}, strength=0.5)["http"] == 422


def test_too_many_jobs_of_a_key(service: Service, ask: Callable[..., dict[str, Any]]) -> None:
    first = ask()
    with service.database.session(ALL) as session:
        job = session.get_one(Job, first["id"])
        for number in range(99):
            names = ("tenant", "key", "kind", "request", "uses", "used_hashes", "target")
            session.add(Job(id=f"job_{number}", **{name: getattr(job, name) for name in names}))
    assert ask()["http"] == 429


def test_cancelling(
    service: Service, idle: TestClient, ask: Callable[..., dict[str, Any]], toy_swapper: Swapper
) -> None:
    waiting, running = ask()["id"], ask(priority=3)["id"]
    job = queue.claim(service.database, ("quick",), 60.0, 5)
    assert job is not None and job.id == running
    worker = Worker(service, lambda model: toy_swapper)
    report = worker._reporter(job)
    for each in (waiting, running):
        idle.post(f"/v1/jobs/{each}/cancel")
    assert idle.get(f"/v1/jobs/{waiting}").json()["state"] == "cancelled"
    with pytest.raises(StopJob):
        report(3, 9)
    worker._do(job)  # done before it heard of it: the result does not count
    assert idle.get(f"/v1/jobs/{running}").json()["state"] == "cancelled" and results(service) == []
    assert idle.get(f"/v1/jobs/{running}/result").status_code == 409


def test_events_end_with_the_job(idle: TestClient, ask: Callable[..., dict[str, Any]]) -> None:
    job = ask()["id"]
    threading.Timer(1.0, lambda: idle.post(f"/v1/jobs/{job}/cancel")).start()
    with idle.stream("GET", f"/v1/jobs/{job}/events") as answer:
        told = [json.loads(line[6:])["state"] for line in answer.iter_lines() if line.startswith("data: ")]
    assert told[0] == "queued" and told[-1] == "cancelled"


def test_a_failed_job_says_why_in_the_clients_words(
    service: Service, idle: TestClient, ask: Callable[..., dict[str, Any]], toy_swapper: Swapper
) -> None:
    job = ask()["id"]
    with service.database.session(ALL) as session:
        request = session.get_one(Job, job).request
        rules = [{**request["rules"][0], "selector": "7"}]
        session.execute(update(Job).where(Job.id == job).values(request={**request, "rules": rules}))
    Worker(service, lambda model: toy_swapper).run_one()
    problem = idle.get(f"/v1/jobs/{job}").json()["problem"]
    assert (
        problem["status"] == 422
        and problem["code"] == 4
        and problem["detail"].startswith("target.jpg: There is no face 7")
    )
    assert str(service.settings.home) not in json.dumps(problem)


def test_kill_9_of_a_worker_loses_nothing_and_doubles_nothing(
    service: Service,
    idle: TestClient,
    ask: Callable[..., dict[str, Any]],
    identity_path: Path,
    change_path: Path,
) -> None:
    jobs = [ask()["id"] for _ in range(5)]
    with service.database.session(ALL) as session:  # leases that end soon
        assert session.scalar(select(Job.state).limit(1)) == "queued"
    command = [sys.executable, str(Path(__file__).with_name("toy_worker.py"))]
    command += [str(service.settings.home), str(identity_path), str(change_path)]
    command += [service.settings.database, service.settings.store]
    draw, end = np.random.default_rng(3), time.monotonic() + 240
    kills = 0
    while time.monotonic() < end:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        if kills < 2:
            time.sleep(float(draw.uniform(0.0, 0.3)))
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        try:
            while time.monotonic() < end:
                states = [idle.get(f"/v1/jobs/{job}").json()["state"] for job in jobs]
                if set(states) == {"done"}:
                    break
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()
        break
    made = results(service)
    assert sorted(item.job or "" for item in made) == sorted(jobs)
    assert all(len(idle.get(f"/v1/jobs/{job}/result").content) > 1000 for job in jobs)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux whether the worker is ready")
def test_a_worker_that_is_told_to_end_ends_in_order(service: Service) -> None:
    command = [sys.executable, "-c", "from facechange.cli.app import main; main()", "work", "--follow"]
    command += ["--home", str(service.settings.home)]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        while not _catches(Path(f"/proc/{process.pid}/status").read_bytes()):
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert (process.wait(60), process.stderr.read()) == (0, b"")


def _catches(status: bytes) -> bool:
    """Whether a process (its /proc/PID/status) has a handler of its own for SIGTERM."""
    mask = int(status.partition(b"SigCgt:")[2].split()[0], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)
