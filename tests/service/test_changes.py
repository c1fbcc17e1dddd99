"""A change over HTTP, end to end: library, faces, change, result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

CONSENT = "Ana Lima and I agreed to this on 3 May 2025."


@pytest.fixture
def two(put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]) -> tuple[str, str]:
    """A source with one face, a target with two."""
    source = put(picture({(200, 150): (240, 60, 60)}), "source.jpg")
    return source["id"], put(picture(), "target.jpg")["id"]


def test_a_photograph_is_changed_at_once(client: TestClient, two: tuple[str, str]) -> None:
    source, target = two
    body = {"target": target, "rules": [{"sources": [source], "selector": "left"}], "consent": CONSENT}
    answer = client.post("/v1/changes", json=body)
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["state"] == "done" and job["summary"].startswith("1 face changed") and len(job["outcomes"]) == 1
    result = client.get(f"/v1/jobs/{job['id']}/result")
    assert result.content.startswith(b"\xff\xd8") and result.headers["content-type"] == "image/jpeg"
    assert result.content == client.get(f"/v1/library/{job['result']}/content").content
    assert (
        b"c2pa" in result.content and b"trainedAlgorithmicMedia" in result.content.lower()
    ) or b"rained" in result.content
    assert client.get(f"/v1/library/{job['result']}").json()["name"] == "target-changed.jpg"


def test_faces(client: TestClient, two: tuple[str, str]) -> None:
    found = client.post("/v1/faces", json={"picture": two[1]}).json()
    assert [face["number"] for face in found["faces"]] == [1, 2] and found["width"] == 400
    assert len(found["faces"][0]["points"]) == 5 and found["faces"][0]["skipped"] is None
