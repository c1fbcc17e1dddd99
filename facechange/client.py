"""A client of the service (`facechange serve`): what it is asked, and what it answers, typed. Needs httpx, of the extra
`serve`.

    with Client("http://127.0.0.1:8443", key) as client:
        source, target = client.put("ann.jpg"), client.put("scene.jpg")
        job = client.change(target.id, [source.id], consent="fc-abcdefgh")
        client.save(job, "changed.jpg")

`AsyncClient` has the same methods, to be awaited.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import httpx

from facechange.core import FacechangeError, OutputError
from facechange.core.files import part_file, plain_errors, take_name

OVER = ("done", "failed", "cancelled")
POLL_SECONDS = 0.5
RESUMABLE_BYTES = 8 << 20  # larger files travel in parts of this size, each of which counts
TRIES = 8  # without any progress, each waiting longer than the one before
_AGAIN = (408, 409, 423, 429, 502, 503, 504)
_TUS = {"Tus-Resumable": "1.0.0"}
_Kind = TypeVar("_Kind", bound="Item | Job")


class ServerError(FacechangeError):
    """What the server answered instead: its sentence, its remedy, and the exit code of the command line."""

    def __init__(self, status: int, message: str, remedy: str = "", code: int = 1) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.exit_code = code


@dataclass(frozen=True)
class Item:
    """A picture or video of the library."""

    id: str
    name: str
    kind: str
    media_type: str
    sha256: str
    bytes: int
    width: int
    height: int
    seconds: float | None
    set: str | None
    created: str
    expires: str | None


@dataclass(frozen=True)
class Job:
    """Work that was accepted, or is over."""

    id: str
    kind: str
    state: str
    progress: dict[str, Any]
    target: str | None
    result: str | None
    outcomes: list[dict[str, Any]]
    summary: str
    problem: dict[str, Any] | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in OVER

    def check(self) -> Job:
        """Itself; raises `ServerError` where it failed or was cancelled."""
        if self.problem is not None:
            raise _as_error(self.problem)
        if self.state == "cancelled":
            raise ServerError(409, "The job was cancelled.", "Ask for it again.")
        return self


Rules = Sequence[str] | Mapping[str, str]  # sources of one person, or {source: whose faces}


def change_request(target: str, sources: Rules, faces: str, consent: str, **options: Any) -> dict[str, Any]:
    """The JSON of `POST /v1/changes`."""
    pairs = [([source], face) for source, face in sources.items()] if isinstance(sources, Mapping) else []
    rules = pairs or [(list(sources), faces)]
    told = [{"sources": given, "selector": face} for given, face in rules]
    return {"target": target, "rules": told, "consent": consent, **options}


class Client:
    """Asks a server and waits."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=120, transport=transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def put(self, path: Path | str, **details: str) -> Item:
        """Put a file into the library; `details` are set, name and expires. A large one goes on after a broken
        connection. Raises `ServerError`, `OSError`."""
        path = Path(path)
        if (size := path.stat().st_size) > RESUMABLE_BYTES:
            return self._put_in_parts(path, size, {"filename": path.name, **details})
        with path.open("rb") as file:
            answer = self._ask("POST", "/v1/library", files={"file": (path.name, file)}, data=details)
        return _build(Item, answer)

    def delete(self, item: str) -> dict[str, Any]:
        """Delete an entry of the library, and have the record of it. Raises `ServerError`."""
        return self._ask("DELETE", f"/v1/library/{item}")

    def faces(self, item: str) -> list[dict[str, Any]]:
        """The faces of a picture. Raises `ServerError`."""
        return list(self._ask("POST", "/v1/faces", json={"picture": item})["faces"])

    def change(
        self, target: str, sources: Rules, *, consent: str, faces: str = "all", idempotency: str = "", **options: Any
    ) -> Job:
        """Ask for a change; a video's goes on when this returns. Raises `ServerError`."""
        body = change_request(target, sources, faces, consent, **options)
        return _build(Job, self._ask("POST", "/v1/changes", json=body, headers=_idempotent(idempotency)))

    def anonymize(self, target: str, *, idempotency: str = "", **options: Any) -> Job:
        """Ask for an anonymisation. Raises `ServerError`."""
        body = {"target": target, **options}
        return _build(Job, self._ask("POST", "/v1/anonymizations", json=body, headers=_idempotent(idempotency)))

    def job(self, job: str) -> Job:
        """How a job stands. Raises `ServerError`."""
        return _build(Job, self._ask("GET", f"/v1/jobs/{job}"))

    def cancel(self, job: str) -> Job:
        """Cancel a job. Raises `ServerError`."""
        return _build(Job, self._ask("POST", f"/v1/jobs/{job}/cancel"))

    def wait(self, job: Job, report: Any = lambda done, total: None) -> Job:
        """The job when it is over; `report` is called with what is done, and all. Raises `ServerError`."""
        while not job.is_over:
            time.sleep(POLL_SECONDS)
            job = self.job(job.id)
            report(job.progress["done"], job.progress["total"])
        return job.check()

    def save(self, job: Job, path: Path | str) -> Path:
        """Write a job's result to `path`, whole or not at all. Raises `ServerError`, `OutputError`."""
        path = Path(path)
        try:
            with self._http.stream("GET", f"/v1/jobs/{job.id}/result") as answer:
                if answer.is_error:
                    answer.read()
                    raise _as_error(_read_problem(answer))
                with plain_errors(path), part_file(path.resolve().parent) as part:
                    with part.open("wb") as file:
                        for data in answer.iter_bytes():
                            file.write(data)
                    take_name(part, path)
        except httpx.HTTPError as error:
            raise _unreachable(self._http.base_url, error) from None
        return path

    def _put_in_parts(self, path: Path, size: int, details: dict[str, str]) -> Item:
        """By tus 1.0.0: ask how far it is whenever something went wrong, and go on there."""
        name = details.pop("name", "") or details["filename"]
        told = {**details, "filename": name}
        metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items())
        begun = self._send("POST", "/v1/uploads", Upload_Length=str(size), Upload_Metadata=metadata)
        place, offset, tries = begun.headers["Location"], 0, 0
        with path.open("rb") as file:
            while True:
                file.seek(offset)
                data = file.read(RESUMABLE_BYTES)
                if not data and offset < size:
                    raise OutputError(f"{path.name} became shorter while it was sent.", "Send it again.")
                try:
                    answer = self._send("PATCH", place, data, Upload_Offset=str(offset))
                except (ServerError, OutputError) as error:
                    if tries == TRIES or getattr(error, "status", 503) not in _AGAIN:
                        raise
                    time.sleep(POLL_SECONDS * 2**tries)
                    before, offset = offset, self._offset(place, offset)
                    tries = tries + 1 if offset == before else 0
                    continue
                offset, tries = int(answer.headers["Upload-Offset"]), 0
                if item := answer.headers.get("X-Facechange-Item"):
                    return _build(Item, self._ask("GET", f"/v1/library/{item}"))

    def _offset(self, place: str, otherwise: int) -> int:
        """How far an upload is; what was known of it where the server cannot be reached."""
        try:
            return int(self._send("HEAD", place).headers["Upload-Offset"])
        except OutputError:
            return otherwise

    def _send(self, method: str, path: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        """A request of tus, with its headers."""
        told = _TUS | {name.replace("_", "-"): value for name, value in headers.items()}
        told |= {"Content-Type": "application/offset+octet-stream"} if content is not None else {}
        answer = self._request(method, path, content=content, headers=told)
        if answer.is_error:
            raise _as_error(_read_problem(answer))
        return answer

    def _ask(self, method: str, path: str, **what: Any) -> Any:
        return _read(self._request(method, path, **what))

    def _request(self, method: str, path: str, **what: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **what)
        except httpx.HTTPError as error:
            raise _unreachable(self._http.base_url, error) from None


class AsyncClient:
    """`Client`, to be awaited: each call runs in a thread, so that files are sent and saved as they are read."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = Client(url, key, transport)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._client.__exit__(*error)

    async def put(self, path: Path | str, **details: str) -> Item:
        """`Client.put`."""
        return await asyncio.to_thread(self._client.put, path, **details)

    async def delete(self, item: str) -> dict[str, Any]:
        """`Client.delete`."""
        return await asyncio.to_thread(self._client.delete, item)

    async def faces(self, item: str) -> list[dict[str, Any]]:
        """`Client.faces`."""
        return await asyncio.to_thread(self._client.faces, item)

    async def change(self, target: str, sources: Rules, *, consent: str, **options: Any) -> Job:
        """`Client.change`."""
        return await asyncio.to_thread(self._client.change, target, sources, consent=consent, **options)

    async def anonymize(self, target: str, **options: Any) -> Job:
        """`Client.anonymize`."""
        return await asyncio.to_thread(self._client.anonymize, target, **options)

    async def job(self, job: str) -> Job:
        """`Client.job`."""
        return await asyncio.to_thread(self._client.job, job)

    async def cancel(self, job: str) -> Job:
        """`Client.cancel`."""
        return await asyncio.to_thread(self._client.cancel, job)

    async def wait(self, job: Job) -> Job:
        """`Client.wait`; no thread waits."""
        while not job.is_over:
            await asyncio.sleep(POLL_SECONDS)
            job = await self.job(job.id)
        return job.check()

    async def save(self, job: Job, path: Path | str) -> Path:
        """`Client.save`."""
        return await asyncio.to_thread(self._client.save, job, path)


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "User-Agent": "facechange"}


def _idempotent(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}


def _build(kind: type[_Kind], table: Any) -> _Kind:
    """Of what this release knows; a later server may say more."""
    return kind(**{part.name: table[part.name] for part in fields(kind)})


def _read(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise _as_error(_read_problem(answer))
    return answer.json() if answer.content else None


def _read_problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        table = answer.json()
    except ValueError:
        table = None
    if isinstance(table, dict) and "detail" in table:
        return table
    return {"status": answer.status_code, "detail": f"The server answered {answer.status_code}."}


def _as_error(problem: dict[str, Any]) -> ServerError:
    code = problem.get("code", 1)
    return ServerError(problem["status"], str(problem["detail"]), str(problem.get("remedy", "")), int(code))


def _unreachable(url: object, error: Exception) -> OutputError:
    return OutputError(
        f"The server {url} cannot be reached ({type(error).__name__}).", "Check --server, and that it runs."
    )
