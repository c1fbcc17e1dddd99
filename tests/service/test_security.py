"""Who may ask for what: keys, scopes, sessions, limits, headers, webhooks."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from facechange.core import ModelError, SettingsError
from facechange.service.app import create_app
from facechange.service.keys import make_first_key
from facechange.service.problems import Problem, describe_problem
from facechange.service.service import Service
from facechange.service.webhooks import check_webhook, sign


def test_nobody_gets_in_without_a_key(anonymous: TestClient) -> None:
    document = anonymous.get("/v1/openapi.json").json()
    open_to_all = {"/healthz", "/readyz", "/metrics"}
    for path, operations in document["paths"].items():
        for method in operations if path not in open_to_all else ():
            if (path, method) != ("/v1/session", "post"):
                answer = anonymous.request(method, path.replace("{reference}", "pic_1"))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert method == "head" or answer.json()["remedy"]


def test_wrong_expired_revoked_and_narrow_keys(
    client: TestClient, client_of: Callable[..., TestClient], anonymous: TestClient
) -> None:
    assert anonymous.get("/v1/library", headers={"Authorization": "Bearer fck_nobody"}).status_code == 401
    assert client_of(expires=time.time() - 1).get("/v1/library").status_code == 401
    narrow = client_of(scopes=("change",))
    assert narrow.get("/v1/library").status_code == 403 and narrow.get("/v1/jobs").status_code == 200
    made = client.post("/v1/keys", json={"name": "phone", "scopes": ["library"]}).json()
    phone = {"Authorization": f"Bearer {made['key']}"}
    assert anonymous.get("/v1/library", headers=phone).status_code == 200
    assert all("key" not in each and "hash" not in each for each in client.get("/v1/keys").json()["items"])
    assert client.delete(f"/v1/keys/{made['id']}").status_code == 200
    assert anonymous.get("/v1/library", headers=phone).status_code == 401


def test_the_pages_session(service: Service, anonymous: TestClient, key_of: Callable[..., str]) -> None:
    assert anonymous.post("/v1/session", json={"key": "fck_wrong"}).status_code == 401
    answer = anonymous.post("/v1/session", json={"key": key_of()})
    cookie = answer.headers["set-cookie"]
    assert answer.json()["tenant"] == "first" and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert anonymous.get("/v1/session").json()["scopes"] == ["admin", "change", "consent", "library"]
    assert anonymous.post("/v1/sets", json={"name": "x"}).status_code == 403  # another site's form has no such header
    page = {"X-Facechange": "page"}
    assert anonymous.post("/v1/sets", json={"name": "x"}, headers=page).status_code == 201
    assert anonymous.delete("/v1/session", headers=page).status_code == 204
    anonymous.cookies.set("fc_session", cookie.partition("=")[2].partition(";")[0])
    assert anonymous.get("/v1/session").status_code == 401


def test_the_first_key_is_made_once(service: Service) -> None:
    assert (make_first_key(service.database) or "").startswith("fck_") and make_first_key(service.database) is None


def test_headers_on_every_answer(anonymous: TestClient) -> None:
    for path in ("/healthz", "/v1/library", "/nowhere"):
        headers = anonymous.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"] and "unsafe" not in str(headers)
        assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers


def test_a_key_that_asks_too_often(service: Service, key_of: Callable[..., str]) -> None:
    slow = replace(service, settings=replace(service.settings, requests_per_minute=3))
    by = TestClient(create_app(slow), headers={"Authorization": f"Bearer {key_of()}"})
    answers = [by.get("/v1/models") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    other = {"Authorization": f"Bearer {key_of()}"}
    assert by.get("/v1/models", headers=other).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/x", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/"),
        *("https://10.1.2.3/", "https://localhost/", "file:///etc/passwd", "https://user:word@1.1.1.1/", "https://"),
        *("https://0.0.0.0/", "https://[::ffff:127.0.0.1]/", "https://1.1.1.1:99999/", "https://2130706433/"),
    ],
)
def test_webhooks_reach_no_private_network(url: str) -> None:
    with pytest.raises(Problem):
        check_webhook(url, private=False)


def test_a_webhooks_signature_can_be_checked_with_the_key() -> None:
    secret = hashlib.sha256(b"fck_mine").hexdigest()
    moment, _, digest = sign(secret, b"{}", 17).partition(",v1=")
    assert moment == "t=17" and digest == hmac.new(secret.encode(), b"17.{}", hashlib.sha256).hexdigest()


def test_a_public_address_without_a_key_is_refused(service: Service) -> None:
    from facechange.cli.serve import serve

    with pytest.raises(SettingsError, match="no key yet"):
        serve(home=service.settings.home, host="0.0.0.0", settings=None, port=None, no_workers=True)


def test_a_problem_says_nothing_of_this_machines_folders() -> None:
    error = ModelError("There is no model at /opt/faces/scout.onnx.", "See https://x.org/a/b or d/e.")
    told = describe_problem(error)
    assert told["detail"] == "There is no model at scout.onnx."
    assert told["remedy"] == "See https://x.org/a/b or d/e."


def test_metrics_and_readiness(anonymous: TestClient) -> None:
    assert anonymous.get("/readyz").json() == {"ready": True, "database": "ready", "store": "ready"}
    anonymous.get("/v1/library/pic_secret")
    text = anonymous.get("/metrics").text
    assert "facechange_requests_total" in text and "pic_secret" not in text
