"""Telling a client's server that a job is over: only servers of the public network, and with a signature."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from facechange.service.problems import Problem


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


def _refused(reason: str) -> Problem:
    return Problem(422, f"The webhook's address {reason}.", "Give the https address of a public server.", 2)
