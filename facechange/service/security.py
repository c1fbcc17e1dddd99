"""Who asks, and how much: keys and sessions on each request, and limits before anything is read."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facechange.service.keys import PREFIX, Caller, authenticate_key, authenticate_session
from facechange.service.metrics import ServiceMetrics
from facechange.service.problems import MEDIA_TYPE, Problem, describe_problem
from facechange.service.service import Service

COOKIE, PAGE_HEADER = "fc_session", "x-facechange"
SILENCE_SECONDS = 30.0  # of a client that sends
SLOWEST_BYTES = 1000  # a second, on average, of one that has sent for longer than that
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " media-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none';"
    " frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class RateLimiter:
    """So many requests a minute for each key, in this process."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._most = float(per_minute)
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Count a request; raises a `Problem` that says when the next may come."""
        now = time.monotonic()
        with self._lock:
            left, then = self._left.get(key, (self._most, now))
            left = min(self._most, left + (now - then) * self._rate)
            if left < 1:
                seconds = str(int((1 - left) / self._rate) + 1)
                raise Problem(429, "This key asks too often.", f"Wait {seconds} s.", 75, Retry_After=seconds)
            self._left[key] = left - 1, now
            if len(self._left) > 10_000:
                self._left = {key: value for key, value in self._left.items() if now - value[1] < 60}


def get_service(request: Request) -> Service:
    """The installation that the app was made for."""
    service: Service = request.app.state.service
    return service


def authenticate(request: Request) -> Caller:
    """Who asks: by key, by a token of the configured issuer, or by the page's session. Raises a `Problem`."""
    service = get_service(request)
    given = request.headers.get("authorization", "")
    if given:
        scheme, _, secret = given.partition(" ")
        issuer, is_key = request.app.state.issuer, secret.startswith(PREFIX)
        if scheme.lower() != "bearer" or not (is_key or issuer):
            raise _unknown("The key is no key of facechange's.")
        caller = authenticate_key(service.database, secret.strip()) if is_key else issuer.authenticate(secret.strip())
    elif cookie := request.cookies.get(COOKIE):
        caller = authenticate_session(service.database, cookie)
        if request.method not in ("GET", "HEAD") and request.headers.get(PAGE_HEADER) != "page":
            raise Problem(403, "A change by cookie needs the page's own header.", "Send X-Facechange: page.", 6)
    else:
        raise _unknown("No key was sent.")
    request.app.state.buckets.take(caller.key)
    request.state.caller = caller
    return caller


def _unknown(message: str) -> Problem:
    return Problem(401, message, "Send Authorization: Bearer fck_...", 6, WWW_Authenticate="Bearer")


def require_scope(scope: str) -> Callable[[Request], Caller]:
    """A dependency: the caller, who has that scope."""

    def check(request: Request) -> Caller:
        caller = authenticate(request)
        caller.need(scope)
        return caller

    return check


AnyCaller = Annotated[Caller, Depends(authenticate)]
ChangeCaller = Annotated[Caller, Depends(require_scope("change"))]
LibraryCaller = Annotated[Caller, Depends(require_scope("library"))]
ConsentCaller = Annotated[Caller, Depends(require_scope("consent"))]
AdminCaller = Annotated[Caller, Depends(require_scope("admin"))]
CurrentService = Annotated[Service, Depends(get_service)]


class Guard:
    """Around the app: security headers on every answer, a limit on bytes that come in, and patience that ends."""

    def __init__(self, app: ASGIApp, most_bytes: int, measures: ServiceMetrics) -> None:
        self.app = app
        self.measures = measures
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        got, begun, whole, began, status = 0, False, False, time.perf_counter(), 500

        async def limited() -> Message:
            nonlocal got, whole
            try:
                message = await (receive() if whole else asyncio.wait_for(receive(), SILENCE_SECONDS))
            except TimeoutError:
                raise Problem(408, "Nothing came for too long.", "Send it again.", 74) from None
            got += len(message.get("body", b""))
            whole = whole or not message.get("more_body", False)
            seconds = time.perf_counter() - began
            if not whole and seconds > SILENCE_SECONDS and got < seconds * SLOWEST_BYTES:
                raise Problem(408, "This comes too slowly.", "Send it over a faster connection.", 74)
            if got > self.most_bytes:
                raise _too_large(self.most_bytes)
            return message

        async def guarded(message: Message) -> None:
            nonlocal begun, status
            if message["type"] == "http.response.start":
                begun, status = True, message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _HEADERS if each[0] not in there)]
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if not length.isdigit() or int(length) > self.most_bytes:
                raise _too_large(self.most_bytes)
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:  # PostgreSQL knows no such text
                raise Problem(422, "The address holds a zero.", "Look at the OpenAPI document.", 2)
            await self.app(scope, limited, guarded)
        except Problem as problem:
            if begun:
                raise
            await _answer(guarded, problem)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.measures.count(scope["method"], route, status, time.perf_counter() - began)


_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


def _too_large(most_bytes: int) -> Problem:
    return Problem(413, f"More than {most_bytes >> 20} MiB are not taken.", "Make the file smaller.", 3)


async def _answer(send: Send, problem: Problem) -> None:
    body: Any = json.dumps(describe_problem(problem)).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
