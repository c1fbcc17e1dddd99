"""Bearer tokens of an issuer: a real one on this machine, with keys made here."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient

from facechange.core import SettingsError
from facechange.service import oidc
from facechange.service.app import create_app
from facechange.service.service import Service

pytest.importorskip("joserfc")
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

AUDIENCE = "https://faces.example"


class LocalIssuer:
    """Discovery document and keys over HTTP, and tokens."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"}), ECKey.generate_key("P-256", {"kid": "two"})]
        self.more: dict[str, Any] = {}  # of the discovery document
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                rows = [{"kty": "new-kind"}, *(key.as_dict(private=False) for key in outer.keys)]
                told = {"issuer": outer.url, "jwks_uri": f"{outer.url}/keys", **outer.more}
                body = json.dumps({"keys": rows} if self.path == "/keys" else told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, key: Any = None, algorithm: str = "RS256", kid: str | None = None, **claims: Any) -> str:
        now, key = int(time.time()), key or self.keys[0]
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "exp": now + 300, "iat": now}
        usual |= {"scope": "openid library", "org": "first", **claims}
        header = {"alg": algorithm, "kid": kid or key.kid}
        told = {name: value for name, value in usual.items() if value is not None}
        return jwt.encode(header, told, key, [algorithm])

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    running = LocalIssuer()
    yield running
    running.end()


@pytest.fixture
def app(service: Service, issuer: LocalIssuer) -> Any:
    given = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_tenant_claim": "org"}
    return create_app(replace(service, settings=replace(service.settings, **given)))


@pytest.fixture
def ask(app: Any) -> Callable[..., Any]:
    client = TestClient(app, raise_server_exceptions=False)

    def get(token: str, place: str = "/v1/library") -> Any:
        return client.get(place, headers={"Authorization": f"Bearer {token}"})

    return get


def test_a_token_is_a_tenants_caller_with_its_scopes(
    app: Any, ask: Callable[..., Any], issuer: LocalIssuer, key_of: Callable[..., str]
) -> None:
    assert ask(issuer.token(), "/v1/session").json() == {"tenant": "first", "scopes": ["library"]}
    assert ask(issuer.token(issuer.keys[1], "ES256", aud=["other", AUDIENCE])).status_code == 200
    assert ask(issuer.token(scope=["library", "admin", "root"]), "/v1/session").json()["scopes"] == ["admin", "library"]
    assert ask(issuer.token(scope=None), "/v1/library").status_code == 403
    client = TestClient(app, headers={"Authorization": f"Bearer {issuer.token()}"})
    made = client.post("/v1/sets", json={"name": "Ann"}).json()["id"]
    assert ask(issuer.token(sub="ben"), f"/v1/sets/{made}").status_code == 200
    assert ask(issuer.token(org="second"), f"/v1/sets/{made}").status_code == 404
    assert ask(key_of(), f"/v1/sets/{made}").status_code == 200, "keys go on as before"
    assert ask("fck_nobody").status_code == 401
    assert issuer.asked == 2, "the discovery document and the keys, once"


def test_what_does_not_hold_is_refused(ask: Callable[..., Any], issuer: LocalIssuer) -> None:
    now, stranger = int(time.time()), RSAKey.generate_key(2048, {"kid": "one"})
    good = issuer.token()
    head, body, signature = good.split(".")
    refused = {
        "wrong signature": issuer.token(stranger),
        "another body": ".".join((head, issuer.token(sub="eve").split(".")[1], signature)),
        "wrong audience": issuer.token(aud="https://other.example"),
        "no audience": issuer.token(aud=None),
        "another issuer": issuer.token(iss="https://other.example"),
        "expired": issuer.token(exp=now - 90),
        "without an end": issuer.token(exp=None),
        "not yet": issuer.token(nbf=now + 90),
        "unknown kid": issuer.token(stranger, kid="three"),
        "the public key as a secret": sign_with_public_key(issuer),
        "alg none": jwt_of_none(body),
        "no subject": issuer.token(sub=None),
        "a subject of nothing": issuer.token(sub=""),
        "a subject with a zero": issuer.token(sub="a\0b"),
        "no tenant": issuer.token(org=None),
        "a tenant that is a path": issuer.token(org="../first"),
        "the machinery's tenant": issuer.token(org="*"),
        "a number as tenant": issuer.token(org=7),
        "five parts": f"{good}.a.b",
        "no token": "nonsense",
        "no JSON": "a.b.c",
    }
    for name, token in refused.items():
        answer = ask(token)
        assert (answer.status_code, answer.json()["code"]) == (401, 6), name
        assert answer.json()["remedy"] and answer.headers["www-authenticate"].startswith("Bearer"), name
    assert ask(issuer.token(exp=now - 30)).status_code == 200, "clocks may differ by a minute"


def sign_with_public_key(issuer: LocalIssuer) -> str:
    """By hand, since the library refuses such a secret."""
    public = issuer.keys[0].as_pem(private=False)
    head = encode(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    signed = f"{head}.{issuer.token().split('.')[1]}"
    return f"{signed}.{encode(hmac.digest(public, signed.encode(), 'sha256'))}"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_of_none(body: str) -> str:
    return f"eyJhbGciOiJub25lIiwia2lkIjoib25lIn0.{body}."  # {"alg":"none","kid":"one"}


def test_a_new_key_is_asked_for_and_strange_ones_do_not_press_the_issuer(
    ask: Callable[..., Any], issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(issuer.token()).status_code == 200
    monkeypatch.setattr(oidc, "AGAIN_SECONDS", 0.0)
    issuer.keys = [RSAKey.generate_key(2048, {"kid": "new"})]
    assert ask(issuer.token()).status_code == 200 and issuer.asked == 4
    monkeypatch.setattr(oidc, "AGAIN_SECONDS", 30.0)
    for number in range(20):
        assert ask(issuer.token(kid=f"strange-{number}")).status_code == 401
    assert issuer.asked == 4


def test_an_issuer_that_is_away(
    ask: Callable[..., Any], issuer: LocalIssuer, key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = issuer.token()
    issuer.more = {"issuer": "https://other.example"}
    answer = ask(good)
    assert answer.status_code == 503 and answer.json()["remedy"] and answer.headers["retry-after"], "not itself"
    issuer.more = {}
    assert ask(good).status_code == 503, "asked a moment ago"
    monkeypatch.setattr(oidc, "AWAY_SECONDS", 0.0)
    assert ask(good).status_code == 200
    issuer.end()
    assert ask(good).status_code == 200, "its keys are known"
    monkeypatch.setattr(oidc, "KEYS_SECONDS", 0.0)
    assert ask(good).status_code == 503 and ask(key_of()).status_code == 200
    issuer.server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # for the fixture to end
    threading.Thread(target=issuer.server.serve_forever, daemon=True).start()


def test_settings_that_do_not_go_together(service: Service) -> None:
    for given in ({"oidc_issuer": "https://issuer.example"}, {"oidc_issuer": "http://a.example", "oidc_audience": "x"}):
        with pytest.raises(SettingsError):
            create_app(replace(service, settings=replace(service.settings, **given)))


def test_a_webhook_needs_a_key(app: Any, issuer: LocalIssuer) -> None:
    client = TestClient(app, headers={"Authorization": f"Bearer {issuer.token(scope='change')}"})
    body = {"target": "pic_1", "consent": "Ana Lima agreed to this.", "webhook": "https://1.1.1.1/told"}
    answer = client.post("/v1/anonymizations", json=body)
    assert answer.status_code == 422 and "API key" in answer.json()["detail"]
