"""Consent over HTTP, and what becomes of pictures when it is taken back; characters that rest on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

from facechange.service.service import Service

CONSENT = "Ana Lima and I agreed to this on 3 May 2025."
RED = (240, 60, 60)


def test_what_rests_on_a_revoked_record_is_deleted(
    client: TestClient, service: Service, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    source, target = put(picture({(200, 150): RED}), "ann.jpg"), put(picture())
    body = {"pictures": [source["id"]], "who": "Ann Example", "role": "source", "basis": "self"}
    record = client.post("/v1/consents", json=body).json()
    assert record["state"] == "in force" and record["sources"] == [source["sha256"]]
    words = f"{record['id']}; the people in the scene agreed on 3 May 2025"
    change = {"target": target["id"], "rules": [{"sources": [source["id"]], "selector": "left"}], "consent": words}
    job = client.post("/v1/changes", json=change).json()
    assert job["state"] == "done", job
    result = client.get(f"/v1/library/{job['result']}").json()
    revoked = client.post(f"/v1/consents/{record['id']}/revoke", json={"reason": "changed her mind"}).json()
    assert revoked["state"] == "revoked"
    assert {each["id"] for each in revoked["deleted"]} == {source["id"], result["id"]}
    assert client.get(f"/v1/jobs/{job['id']}/result").status_code == 404
    for each in (source, result):
        assert client.get(f"/v1/library/{each['id']}").status_code == 404
        assert not service.store.has("first", each["sha256"])
    assert client.get(f"/v1/library/{target['id']}").status_code == 200
    again = put(picture({(200, 150): RED}), "ann.jpg")
    change["rules"] = [{"sources": [again["id"]], "selector": "left"}]
    refused = client.post("/v1/changes", json=change)
    assert refused.status_code == 403 and refused.json()["code"] == 6


def test_consent_that_says_nothing_is_refused_at_once(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    item = put(picture())["id"]
    for words in ("", "yes"):
        body = {"target": item, "rules": [{"sources": [item]}], "consent": words, "wait": False}
        answer = client.post("/v1/changes", json=body)
        assert answer.status_code == 403 and answer.json()["remedy"]


def test_a_character_is_rendered_again_when_it_changes(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    source = put(picture({(200, 150): RED}), "ida.jpg")["id"]
    refused = {"name": "Ida", "sources": [source], "consent": "yes"}
    assert client.post("/v1/characters", json=refused).status_code == 403
    character = client.post("/v1/characters", json={**refused, "consent": CONSENT}).json()
    place = f"/v1/characters/{character['id']}"
    assert client.post(f"{place}/render", json={"consent": CONSENT}).status_code == 409
    put(picture(), "scene.jpg", set=character["set"])
    for version in (1, 2):
        jobs = client.post(f"{place}/render", json={"consent": CONSENT}).json()["jobs"]
        assert len(jobs) == 1 and _wait(client, jobs[0]["id"])["state"] == "done"
        if version == 1:
            assert (
                client.put(place, json={"name": "Ida", "sources": [source], "consent": CONSENT}).json()["version"] == 2
            )
    entries = client.get("/v1/library", params={"set": character["set"]}).json()["items"]
    assert [entry["name"] for entry in entries] == ["scene-Ida-v2.jpg", "scene-Ida-v1.jpg", "scene.jpg"]


def _wait(client: TestClient, job: str) -> dict[str, Any]:
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        list(answer.iter_lines())
    return client.get(f"/v1/jobs/{job}").json()
