"""Show live frames to browsers: one page, and the frames as JPEGs one after another (multipart/x-mixed-replace)."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from facechange.core import OutputError
from facechange.provenance import PublishedFrame
from facechange.swap.live.latest import Latest

MOST_VIEWERS = 16
PATIENCE_S = 10.0  # for a viewer that takes nothing
BOUNDARY = "frame"
_PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>facechange live</title>
<style>body { margin: 0; background: #111 } img { display: block; width: 100vw; height: 100vh; object-fit: contain }</style>
<img src="/live.mjpg" alt="Faces in this picture are changed by a model.">
</html>
"""


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT or PORT alone, which is one of this machine that no other can reach. Raises `OutputError` for anything
    else."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise OutputError(f"{text} is no address to serve at.", "Give a port, as in --mjpeg 8080, or HOST:PORT.")
    return host.strip("[]") or "127.0.0.1", int(port)


class MjpegServer:
    """A small HTTP server at `address` (host, port; 0 for any free port). Raises `OutputError` where it cannot be
    there.

    A viewer gets the newest frame whenever it has taken the last, so that a slow one misses frames and holds nobody up.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        try:
            self._server = _Server(address)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise OutputError(
                f"Nothing can be served at {address[0]}:{address[1]}: {reason}.", "Choose another port."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to look."""
        host, port = self._server.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}/"

    @property
    def is_public(self) -> bool:
        """Whether other machines may reach it."""
        return not self._server.is_local

    def show(self, frame: PublishedFrame) -> bool:
        """Hand on a frame; encoded only if anybody looks."""
        if self._server.viewers:
            self._server.latest.put(frame.jpeg)
        return True

    def close(self) -> None:
        """Send the viewers away and stop."""
        self._server.latest.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)
        self.latest: Latest[bytes] = Latest()
        self.viewers = 0
        self._counting = threading.Lock()
        self.is_local = ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def count_viewer(self, step: int) -> bool:
        """Count one in or out; whether there is room for it."""
        with self._counting:
            if step > 0 and self.viewers >= MOST_VIEWERS:
                return False
            self.viewers += step
            return True

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that goes away in the middle is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    server_version = "facechange"
    sys_version = ""

    def do_GET(self) -> None:
        """The page or the frames."""
        if self.server.is_local and not _names_this_machine(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.FORBIDDEN)  # a web site that had its own name lead here
        elif self.path == "/":
            self._start(HTTPStatus.OK, "text/html; charset=utf-8", len(_PAGE))
            self.wfile.write(_PAGE)
        elif self.path == "/live.mjpg":
            self._send_frames()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send_frames(self) -> None:
        if not self.server.count_viewer(+1):
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self.close_connection = True
        try:
            self._start(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={BOUNDARY}", None)
            number = 0
            while not self.server.latest.closed:
                taken = self.server.latest.take(number, PATIENCE_S)
                if taken is None:
                    continue
                number, jpeg = taken
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        finally:
            self.server.count_viewer(-1)

    def _start(self, status: HTTPStatus, kind: str, length: int | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")  # other sites must not show it
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: stderr is for the pace."""


def _names_this_machine(host: str) -> bool:
    """Whether a Host header is this machine's own name, with or without a port."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return name == "localhost"
