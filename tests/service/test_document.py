"""The API is what its document says: Schemathesis over every operation, all checks, against a real web server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

CASES = os.environ.get("FACECHANGE_TEST_CASES", "10")  # of each operation and way of drawing
SEED = os.environ.get("FACECHANGE_TEST_SEED", "1")
FOLDER = Path(__file__).with_name("openapi")
CONSENT = "Ana Lima and I agreed to this on 3 May 2025."


def test_every_status_is_documented_by_itself(client: TestClient) -> None:
    for path, operations in client.get("/v1/openapi.json").json()["paths"].items():
        for verb, operation in operations.items():
            statuses = set(operation["responses"])
            assert "default" not in statuses and {"422", "503"} <= statuses, (verb, path)
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and (path, status) != ("/readyz", "503"):
                    assert list(answer["content"]) == ["application/problem+json"], (verb, path, status)


@pytest.mark.slow
def test_the_api_is_what_its_document_says(
    client: TestClient,
    address: tuple[str, int],
    put: Callable[..., dict[str, Any]],
    picture: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    """Statuses, headers, types and shapes as documented, and never a 5xx. FACECHANGE_TEST_CASES says how many cases."""
    pytest.importorskip("schemathesis")
    item = put(picture())["id"]
    body = {"target": item, "rules": [{"sources": [item], "selector": "left"}], "consent": CONSENT}
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "99999999"}
    things = {
        "library": item,
        "jobs": client.post("/v1/changes", json=body).json()["id"],
        "sets": client.post("/v1/sets", json={"name": "Ann"}).json()["id"],
        "characters": client.post("/v1/characters", json={"name": "Ida", "seed": 3}).json()["id"],
        "uploads": client.post("/v1/uploads", headers=tus).headers["location"].rpartition("/")[2],
    }
    place = f"http://{address[0]}:{address[1]}/v1/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(FOLDER / "schemathesis.toml")]
    command += ["run", place, "--max-examples", CASES, "--seed", SEED, "--no-color"]
    command += ["-H", f"Authorization: {client.headers['Authorization']}", "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--request-timeout", "60"]
    variables = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(FOLDER), "FACECHANGE_TEST_THINGS": json.dumps(things)}
    with (tmp_path / "said").open("w+") as said:
        done = subprocess.run(command, env={**os.environ, **variables}, cwd=tmp_path, stdout=said, stderr=said)
        said.seek(0)
        text = said.read()
    print(text)
    assert done.returncode == 0, text[-20_000:]
    assert re.search(r"(\d+) generated", text)
