"""Nobody reads, lists, changes or deletes what belongs to another tenant: generated over every route and verb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, update

from facechange.service.service import Service
from facechange.service.tables import ALL, Base, Item, Job, Owned, Set, Tenant

CONSENT = "Ana Lima and I agreed to this on 3 May 2025."
# a body for each route that takes one, in which THEIRS is an identifier of the first tenant's
BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/changes": [
        {"target": "THEIRS", "rules": [{"sources": ["THEIRS"]}], "consent": CONSENT},
        {"target": "OWN", "rules": [{"sources": ["THEIRS"]}], "consent": CONSENT},
        {"target": "OWN", "rules": [{"sources": ["OWN"], "selector": "like:THEIRS"}], "consent": CONSENT},
    ],
    "/v1/anonymizations": [{"target": "THEIRS"}, {"target": "OWN", "only": ["like:THEIRS"]}],
    "/v1/masks": [
        {"source": "THEIRS", "target": "OWN", "consent": CONSENT},
        {"source": "OWN", "target": "THEIRS", "consent": CONSENT},
    ],
    "/v1/faces": [{"picture": "THEIRS"}],
    "/v1/characters": [{"name": "x", "sources": ["THEIRS"], "consent": CONSENT}],
    "/v1/characters/{reference}": [{"name": "x", "seed": 5}],
    "/v1/characters/{reference}/render": [{"consent": CONSENT}],
    "/v1/consents": [{"pictures": ["THEIRS"], "who": "Ann", "basis": "self"}],
    "/v1/consents/{reference}/revoke": [{"reason": "x"}],
    "/v1/library/{reference}": [{"name": "mine.jpg"}],
    "/v1/library": [],
    "/v1/verify": [],
    "/v1/session": [],
    "/v1/sets": [],
    "/v1/keys": [],
    "/v1/uploads": [],
    "/v1/sets/{reference}/anonymizations": [{"fallback": "box"}],
    "/v1/previews": [
        {"anonymization": {"target": "THEIRS"}},
        {"change": {"target": "THEIRS", "rules": [{"sources": ["OWN"]}], "consent": CONSENT}},
    ],
}


@pytest.fixture
def things(
    client: TestClient, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> Iterator[dict[str, str]]:
    """One of everything of the first tenant's, by the routes' first word; afterwards all of it is as it was."""
    ann = client.post("/v1/sets", json={"name": "Ann"}).json()["id"]
    item = put(picture(), set=ann)["id"]
    body = {"target": item, "rules": [{"sources": [item], "selector": "left"}], "consent": CONSENT}
    record = {"pictures": [item], "who": "Ann Example", "basis": "self"}
    made = {
        "library": item,
        "sets": ann,
        "jobs": client.post("/v1/changes", json=body).json()["id"],
        "characters": client.post("/v1/characters", json={"name": "Ida", "seed": 3}).json()["id"],
        "consents": client.post("/v1/consents", json=record).json()["id"],
        "uploads": client.post("/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "9"})
        .headers["location"]
        .rpartition("/")[2],
        "keys": client.post("/v1/keys", json={"name": "phone", "scopes": ["change"]}).json()["id"],
    }
    places = [f"/v1/{kind}/{each}" for kind, each in made.items() if kind != "keys"] + ["/v1/keys"]
    before = [client.get(place).json() for place in places]
    yield made
    assert [client.get(place).json() for place in places] == before


def test_every_route_and_verb(
    client: TestClient,
    client_of: Callable[..., TestClient],
    things: dict[str, str],
    put: Callable[..., dict[str, Any]],
    picture: Callable[..., bytes],
) -> None:
    other = client_of("second")
    own = put(picture(), by=other)["id"]
    secrets = {*things.values()}
    asked = 0
    for path, operations in client.get("/v1/openapi.json").json()["paths"].items():
        if not path.startswith("/v1/"):
            continue
        word = path.split("/")[2]
        place = path.replace("{reference}", things.get(word, ""))
        for verb in operations:
            bodies = BODIES.get(path, []) if verb in ("post", "put", "patch") else []
            if verb == "post" and "{" not in path:
                assert path in BODIES, f"say what a stranger would send to {path}"
            for body in bodies or ([None] if "{reference}" in path or verb == "get" else []):
                answer = other.request(verb, place, json=_fill(body, things["library"], own) if body else None)
                asked += 1
                if "{reference}" in path or bodies:
                    assert answer.status_code == 404, (verb, path, answer.text)
                else:
                    assert answer.status_code == 200
                    assert not [each for each in secrets if each in answer.text], (verb, path)
    assert asked > 35
    assert {each["id"] for each in other.get("/v1/library").json()["items"]} == {own}
    assert other.get("/v1/library", params={"before": things["library"]}).status_code == 404
    assert other.get("/v1/library", params={"set": things["sets"]}).json()["items"] == []
    assert other.patch(f"/v1/library/{own}", json={"set": things["sets"]}).status_code == 404
    form = {"set": things["sets"]}
    assert other.post("/v1/library", files={"file": ("x.jpg", picture())}, data=form).status_code == 404


def _fill(value: Any, theirs: str, own: str) -> Any:
    if isinstance(value, dict):
        return {name: _fill(each, theirs, own) for name, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, theirs, own) for each in value]
    return value.replace("THEIRS", theirs).replace("OWN", own) if isinstance(value, str) else value


def test_another_tenants_same_content_is_another_file(
    service: Service,
    client_of: Callable[..., TestClient],
    put: Callable[..., dict[str, Any]],
    picture: Callable[..., bytes],
) -> None:
    other = client_of("second")
    mine, theirs = put(picture()), put(picture(), by=other)
    other.delete(f"/v1/library/{theirs['id']}")
    assert service.store.has("first", mine["sha256"]) and not service.store.has("second", mine["sha256"])


def test_whatever_a_query_says_it_is_the_tenants_own(
    service: Service, put: Callable[..., dict[str, Any]], picture: Callable[..., bytes]
) -> None:
    item = put(picture())["id"]
    with service.database.session("second") as session:
        assert session.get(Item, item) is None and session.scalars(select(Item)).all() == []
        assert session.scalars(select(Item.sha256)).all() == []
        assert session.execute(update(Item).values(name="x")).rowcount == 0
        assert session.execute(delete(Item).where(Item.id == item)).rowcount == 0
    with pytest.raises(PermissionError), service.database.session("second") as session:
        session.add(Set(id="set_x", tenant="first", name="x", kind="person"))
    with pytest.raises(PermissionError), service.database.session("second") as session:
        session.add(Tenant(id="third"))
    with service.database.session(ALL) as session:
        assert session.get_one(Item, item).name == "photo.jpg"


def test_every_table_but_that_of_tenants_belongs_to_one() -> None:
    tables = {mapper.class_ for mapper in Base.registry.mappers}
    assert {table for table in tables if not issubclass(table, Owned)} == {Tenant} and Job in tables
