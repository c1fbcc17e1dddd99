"""Bearer tokens of an OpenID Connect issuer (RFC 7519, RFC 9068): who asks, of which tenant, and what they may do.

Only signatures by a public key count; the issuer's keys are fetched by its discovery document and kept for an hour.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from facechange.core import SettingsError
from facechange.service.keys import DEFAULT_TENANT, SCOPES, TENANT_NAME, Caller
from facechange.service.log import log
from facechange.service.problems import Problem
from facechange.service.settings import LOCAL_HOSTS, ServiceSettings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
SKEW_SECONDS = 60
KEYS_SECONDS = 3600.0  # how long the issuer's keys are believed
AGAIN_SECONDS = 30.0  # before they are asked for again because of a key that is not among them
AWAY_SECONDS = 5.0  # before an issuer that did not answer is asked again
ANSWER_SECONDS = 5.0
LONGEST_SUBJECT = 180
CALLER_PREFIX = "oidc:"


class Issuer:
    """The one whose tokens the service takes, and its keys."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Raises `SettingsError` where the settings do not go together; asks nobody yet."""
        _check_address(settings.oidc_issuer)
        if not settings.oidc_audience:
            raise SettingsError("oidc_issuer needs oidc_audience.", "Name what the issuer's tokens for this are for.")
        self._settings = settings
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched = self._failed = float("-inf")
        self._claims = jwt.JWTClaimsRegistry(
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def authenticate(self, token: str) -> Caller:
        """Whose token it is. Raises a `Problem`: 401 where it does not hold, 503 where the issuer is away."""
        try:
            claims = self._decode(token).claims
            self._claims.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _refused(type(error).__name__) from None
        return self._read(claims)

    def _read(self, claims: dict[str, Any]) -> Caller:
        settings, subject = self._settings, claims["sub"]
        tenant = claims.get(settings.oidc_tenant_claim) if settings.oidc_tenant_claim else DEFAULT_TENANT
        scopes = claims.get(settings.oidc_scopes_claim, [])
        scopes = scopes.split() if isinstance(scopes, str) else scopes if isinstance(scopes, list) else []
        if not isinstance(tenant, str) or not TENANT_NAME.fullmatch(tenant):
            raise _refused("it names no tenant")
        if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
            raise _refused("its subject is no name")
        return Caller(
            tenant, f"{CALLER_PREFIX}{tenant}:{subject}", frozenset(each for each in SCOPES if each in scopes)
        )

    def _decode(self, token: str) -> jwt.Token:
        if token.count(".") != 2:
            raise ValueError("it is not signed")
        try:
            return jwt.decode(token, self._read_keys(KEYS_SECONDS), ALGORITHMS)
        except InvalidKeyIdError:  # the issuer may have a new key
            return jwt.decode(token, self._read_keys(AGAIN_SECONDS), ALGORITHMS)

    def _read_keys(self, seconds: float) -> KeySet:
        """The issuer's keys, asked for at most so long ago."""
        with self._lock:
            now = time.monotonic()
            if self._keys is None or now - self._fetched > seconds:
                try:
                    if now - self._failed < AWAY_SECONDS:
                        raise ValueError("it did not answer a moment ago")
                    self._keys, self._fetched = _fetch_keys(self._settings.oidc_issuer), now
                except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, SettingsError) as error:
                    if now - self._failed >= AWAY_SECONDS:
                        log.warning("the issuer of tokens does not answer as it should: %s", error)
                        self._failed = time.monotonic()
                    message = "The issuer of this token cannot be asked for its keys."
                    raise Problem(503, message, "Try again, or use an API key.", 75, Retry_After="10") from None
            return self._keys


def _fetch_keys(issuer: str) -> KeySet:
    """The keys that the discovery document (OpenID Connect Discovery 1.0, 4.3) names; those of unknown kinds are left
    out."""
    with httpx.Client(timeout=ANSWER_SECONDS, follow_redirects=False) as client:
        found = client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
        if found["issuer"] != issuer:
            raise ValueError("its discovery document is another issuer's")
        _check_address(found["jwks_uri"])
        rows = client.get(found["jwks_uri"]).raise_for_status().json()["keys"]
    keys = []
    for row in rows:
        try:
            keys.append(JWKRegistry.import_key(row))
        except (JoseError, ValueError, KeyError, TypeError):
            continue
    return KeySet(keys)


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS):
        raise SettingsError(f"{address} is no issuer's https address.", "Write oidc_issuer as its tokens say it (iss).")


def _refused(reason: str) -> Problem:
    log.info("a token was refused: %s", reason)
    remedy = "Get a new one from its issuer, for this service."
    return Problem(401, "The token does not hold here.", remedy, 6, WWW_Authenticate='Bearer error="invalid_token"')
