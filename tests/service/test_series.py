"""Several jobs by one request: a set anonymised, frames of a video before the whole; and who did what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

CONSENT = "Ana Lima and I agreed to this on 3 May 2025."
ORANGE = (230, 140, 60)


@pytest.fixture
def clip(tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> bytes:
    """Three seconds in which a face moves to the right."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 400, 300, "yuv420p", 4_000_000
        for number in range(30):
            pixels = faces_picture({(80 + 8 * number, 150): ORANGE})
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return (tmp_path / "clip.mp4").read_bytes()


def over(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        list(answer.iter_lines())
    return client.get(f"/v1/jobs/{job['id']}").json()


def test_a_set_is_anonymised_at_once(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    party = client.post("/v1/sets", json={"name": "Party"}).json()["id"]
    place = f"/v1/sets/{party}/anonymizations"
    assert client.post(place, json={}).status_code == 409
    items = [put(picture({(60 + 40 * index, 150): ORANGE}), set=party)["id"] for index in range(3)]
    answer = client.post(place, json={"fallback": "box"})
    assert answer.status_code == 202, answer.text
    jobs = answer.json()["jobs"]
    assert [job["target"] for job in jobs] == items
    assert {over(client, job)["state"] for job in jobs} == {"done"}
    again = client.post(place, json={"only": ["1"], "all_but": ["2"]})
    assert again.status_code == 422 and client.post(place, json={"target": items[0]}).status_code == 422


def test_frames_of_a_video_before_the_whole(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes], clip: bytes
) -> None:
    source, video = put(picture({(200, 150): (240, 60, 60)}))["id"], put(clip, "clip.mp4")["id"]
    change = {"target": video, "rules": [{"sources": [source]}], "consent": CONSENT}
    answer = client.post("/v1/previews", json={"change": change, "frames": 3})
    assert answer.status_code == 202, answer.text
    frames = answer.json()["frames"]
    assert [frame["seconds"] for frame in frames] == [0.5, 1.5, 2.5]
    lefts = []
    for frame in frames:
        item = client.get(f"/v1/library/{frame['target']}").json()
        assert item["expires"] and (item["width"], item["height"]) == (400, 300) and "clip.mp4" in item["name"]
        job = over(client, frame["job"])
        assert job["state"] == "done" and b"c2pa" in client.get(f"/v1/jobs/{job['id']}/result").content
        lefts.append(client.post("/v1/faces", json={"picture": frame["target"]}).json()["faces"][0]["box"][0])
    assert np.allclose(np.diff(lefts), 80, atol=10), "each at its moment"
    hidden = client.post("/v1/previews", json={"anonymization": {"target": video}, "frames": 1}).json()["frames"]
    assert over(client, hidden[0]["job"])["kind"] == "anonymization"


def test_a_preview_that_cannot_be(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes], clip: bytes
) -> None:
    source, video = put(picture())["id"], put(clip, "clip.mp4")["id"]
    change = {"target": video, "rules": [{"sources": [source]}], "consent": CONSENT}
    for body, status in (
        ({}, 422),
        ({"change": change, "anonymization": {"target": video}}, 422),
        ({"change": change, "frames": 9}, 422),
        ({"change": {**change, "target": source}}, 404),
        ({"change": {**change, "rules": [{"sources": ["pic_nobody"]}]}}, 404),
        ({"change": {**change, "consent": "yes"}}, 403),
    ):
        answer = client.post("/v1/previews", json=body)
        assert answer.status_code == status and answer.json()["remedy"], answer.text
    assert len(client.get("/v1/library").json()["items"]) == 2, "no frame stays"


def test_who_did_what(
    client: TestClient,
    client_of: Callable[..., TestClient],
    put: Callable[..., dict[str, Any]],
    picture: Callable[..., bytes],
) -> None:
    item = put(picture())["id"]
    record = client.post("/v1/consents", json={"pictures": [item], "who": "Ann Example", "basis": "self"}).json()["id"]
    key = client.post("/v1/keys", json={"name": "phone", "scopes": ["change"]}).json()["id"]
    job = client.post("/v1/anonymizations", json={"target": item}).json()["id"]
    client.delete(f"/v1/keys/{key}")
    client.delete(f"/v1/library/{item}")
    first = client.get("/v1/audit", params={"limit": 4}).json()
    rest = client.get("/v1/audit", params={"before": first["next"]}).json()
    told = [(note["what"], note["about"]) for note in reversed(first["items"] + rest["items"])]
    expected = [("put", item), ("add consent", record), ("add key", key), ("anonymization", job)]
    assert told == [*expected, ("revoke key", key), ("delete", item)] and rest["next"] is None
    assert all(note["key"].startswith("key_") and note["at"].endswith("Z") for note in first["items"])
    assert client_of(scopes=("change", "library", "consent")).get("/v1/audit").status_code == 403
    assert client_of("second").get("/v1/audit").json()["items"] == []
