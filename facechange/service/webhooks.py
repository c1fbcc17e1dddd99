"""Telling a client's server that a job is over: only servers of the public network, and with a signature."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
import time
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select

from facechange.service.keys import Caller
from facechange.service.log import log
from facechange.service.problems import Problem
from facechange.service.queue import OVER
from facechange.service.schemas import describe_job
from facechange.service.service import Service
from facechange.service.tables import ALL, Job, Key

SIGNATURE = "X-Facechange-Signature"
PATIENCE_SECONDS, ANSWER_SECONDS = 86_400.0, 5.0


def check_webhook(url: str, private: bool) -> list[str]:
    """The addresses that `url` means; raises a `Problem` where it is none for webhooks: not https, or in a private
    network, which only the operator can allow."""
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    if parts.scheme not in (("https", "http") if private else ("https",)) or not parts.hostname or not port:
        raise _refused("is no https address")
    if parts.username or parts.password:
        raise _refused("holds a password")
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise _refused("cannot be found") from None
    for address in found:
        if not private and not ipaddress.ip_address(str(address).partition("%")[0]).is_global:
            raise _refused("is in a private network")
    return sorted(map(str, found))


def accept_webhook(service: Service, caller: Caller, url: str) -> None:
    """Raise a `Problem` where a caller may not name that address."""
    check_webhook(url, service.settings.webhook_private)
    if not caller.key.startswith("key_"):
        raise Problem(422, "A webhook is signed with an API key, and this is none.", "Ask with an API key.", 2)


def _refused(reason: str) -> Problem:
    return Problem(422, f"The webhook's address {reason}.", "Give the https address of a public server.", 2)


def sign(secret: str, body: bytes, moment: int) -> str:
    """The header of a webhook: its time and an HMAC-SHA-256 of time and body. `secret` is SHA-256 of the client's key,
    hexadecimal, which the client can compute and the service has."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def deliver_webhooks(service: Service) -> None:
    """Tell those who asked of jobs that are over, at least once; what cannot be told for a day is let be."""
    now = time.time()
    with service.database.session(ALL) as session:
        query = select(Job).where(Job.notified.is_(False), Job.state.in_(OVER)).order_by(Job.finished.desc()).limit(10)
        waiting = [(job, session.get(Key, job.key)) for job in session.scalars(query)]
    for job, key in waiting:
        told = key is None or (job.finished or 0) < now - PATIENCE_SECONDS or _tell(service, job, key.hash)
        if told:
            with service.database.session(ALL) as session:
                session.get_one(Job, job.id).notified = True


def _tell(service: Service, job: Job, secret: str) -> bool:
    """Whether the client's server took it. The address that was checked is the one that is asked, and no redirect is
    followed."""
    assert job.webhook is not None
    body = json.dumps(describe_job(job, time.time())).encode()
    headers = {"Content-Type": "application/json", SIGNATURE: sign(secret, body, int(time.time()))}
    try:
        address = check_webhook(job.webhook, service.settings.webhook_private)[0]
        parts = urlsplit(job.webhook)
        host, shown = parts.hostname or "", f"[{address}]" if ":" in address else address
        port = f":{parts.port}" if parts.port else ""
        url = parts._replace(netloc=f"{shown}{port}").geturl()
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=ANSWER_SECONDS) as client:
            named = {**headers, "Host": f"{host}{port}"}
            answer = client.post(url, content=body, headers=named, extensions={"sni_hostname": host})
        return answer.is_success
    except (Problem, httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("the webhook of %s could not be told: %s", job.id, type(error).__name__)
        return False
