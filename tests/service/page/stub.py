"""The service's answers without the service, for the page's tests: what `docs` call the API, on example pictures.

`python tests/service/page/stub.py [PORT]` serves the page by hand; the key is `KEY`. Nothing is computed: a change of
the example is one that facechange made earlier (`changed.webp`), and time is what makes a job go on.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import hashlib
import io
import itertools
import json
import re
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = ROOT / "facechange" / "service" / "page"
KEY = "fck_example"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)  # stricter than it has to be: neither blob: nor data:
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
EXAMPLE = ROOT / "examples" / "target.jpg"
FACES = {"source": [168, 149, 432, 580], "target": [196, 155, 420, 556]}
SIZE = 768  # of the examples


class Refused(Exception):
    def __init__(self, status: int, detail: str, remedy: str = "", **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.remedy, self.headers = status, detail, remedy, headers


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def draw_group() -> bytes:
    """Two people beside each other: the target's example on the left, the source's on the right."""
    picture = Image.new("RGB", (2 * SIZE, SIZE))
    for place, name in enumerate(("target", "source")):
        picture.paste(Image.open(ROOT / "examples" / f"{name}.jpg"), (place * SIZE, 0))
    return save(picture, "JPEG")


def save(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, quality=85)
    return out.getvalue()


class State:
    """What the service would keep."""

    def __init__(self, step_seconds: float = 0.25, steps: int = 4) -> None:
        self.lock = threading.RLock()
        tables: list[dict[str, dict[str, Any]]] = [{} for _ in range(6)]
        self.items, self.jobs, self.sets, self.characters, self.consents, self.uploads = tables
        self.files: dict[str, bytes] = {}
        self.sessions: set[str] = set()
        self.asked: list[tuple[str, str, Any]] = []  # method, path, body
        self.refusals: dict[str, Refused] = {}  # by path: raised once
        self.step_seconds, self.steps = step_seconds, steps
        self.numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}-{next(self.numbers):04d}"

    def add(self, data: bytes, name: str, **more: Any) -> dict[str, Any]:
        key = self.new("item")
        entry = {
            "id": key, "name": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "set": None,
            "created": now(), "expires": None, "seconds": None, **{k: v for k, v in more.items() if v},
        }  # fmt: skip
        try:
            with Image.open(io.BytesIO(data)) as picture:
                size = picture.size
                entry |= {"kind": "photograph", "media_type": Image.MIME[picture.format or "JPEG"]}
        except OSError:
            if data[4:8] != b"ftyp" and data[:4] != b"\x1a\x45\xdf\xa3":
                raise Refused(400, f"{name} is no picture or video.", "Choose a JPEG, PNG or MP4.") from None
            size = (512, 512)
            entry |= {"kind": "video", "media_type": "video/webm", "seconds": 4.0}
        entry |= {"width": size[0], "height": size[1]}
        self.items[key], self.files[key] = entry, data
        return entry

    def record(self, pictures: list[str], role: str, **more: Any) -> dict[str, Any]:
        hashes = [self.items[picture]["sha256"] for picture in pictures]
        record = {
            "id": self.new("fc"), "purpose": "", "until": "", **more, "state": "in force", "reason": "", "added": True,
            "sources": hashes if role != "target" else [], "targets": hashes if role != "source" else [],
            "recorded_at": now(),
        }  # fmt: skip
        self.consents[record["id"]] = record
        return record

    def start(self, kind: str, target: str, result: bytes, name: str, summary: str, faces: int) -> dict[str, Any]:
        key = self.new("job")
        outcomes = [{"box": [200 + 700 * n, 150, 400, 550], "done": "changed", "why": ""} for n in range(faces)]
        self.jobs[key] = {
            "id": key, "kind": kind, "state": "queued", "progress": {"done": 0, "total": 0, "seconds_left": None},
            "target": target, "result": None, "outcomes": [], "summary": "", "problem": None, "created": now(),
            "started": None, "finished": None,
        }  # fmt: skip
        threading.Thread(target=self.run, args=(key, result, name, summary, outcomes), daemon=True).start()
        return self.jobs[key]

    def run(self, key: str, result: bytes, name: str, summary: str, outcomes: list[Any]) -> None:
        job = self.jobs[key]
        for step in range(self.steps):
            time.sleep(self.step_seconds)
            if job["state"] == "cancelled":
                return
            left = round((self.steps - step) * self.step_seconds, 1)
            job |= {"state": "running", "started": job["started"] or now()}
            job["progress"] = {"done": step, "total": self.steps, "seconds_left": left}
        with self.lock:
            item = self.add(result, name)
        job |= {"state": "done", "result": item["id"], "outcomes": outcomes, "summary": summary, "finished": now()}


class Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        pass

    def handle_one(self) -> None:
        split = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(split.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if not split.path.startswith("/v1/"):
                return self.serve_page(split.path)
            parts = split.path.split("/")[2:]
            self.check(parts[0])
            self.parse(body)
            self.state.asked.append((self.command, split.path, self.body))
            refusals, name = self.state.refusals, f"{self.command} {split.path}"
            if refusal := refusals.pop(split.path, None) or refusals.pop(name, None):
                raise refusal
            answer = getattr(self, f"on_{parts[0]}")(*parts[1:])
            if answer is not None:
                self.send_json(*(answer if isinstance(answer, tuple) else (200, answer)))
        except Refused as refused:
            problem = {"type": "about:blank", "title": "Refused", "status": refused.status, "code": 2}
            problem |= {"detail": refused.detail, "remedy": refused.remedy}
            self.send_json(refused.status, problem, refused.headers, "application/problem+json")
        except (BrokenPipeError, ConnectionResetError):
            pass

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = handle_one

    def check(self, resource: str) -> None:
        cookie = re.search(r"fc_session=(\w+)", self.headers.get("Cookie", ""))
        if self.command != "GET" and self.headers.get("X-Facechange") != "page":
            raise Refused(403, "A change by cookie needs the page's own header.", "Send X-Facechange: page.")
        self.session = cookie.group(1) if cookie else ""
        if self.session not in self.state.sessions and not (resource == "session" and self.command == "POST"):
            raise Refused(401, "Nobody is signed in.", "Sign in with a key.")

    def parse(self, body: bytes) -> None:
        kind = self.headers.get("Content-Type", "")
        self.file, self.name, self.body = b"", "", {}
        if kind.startswith("application/json") and body:
            self.body = json.loads(body)
        elif kind == "application/offset+octet-stream":
            self.file = body
        elif kind.startswith("multipart/"):
            parser = email.parser.BytesParser(policy=email.policy.HTTP)
            for part in parser.parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body).iter_parts():
                name, data = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
                if name == "file":
                    self.file, self.name = data, part.get_filename() or ""
                else:
                    self.body[name] = data.decode()

    def send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def send_json(self, status: int, value: Any, headers: Any = None, kind: str = "application/json") -> None:
        self.send(status, json.dumps(value).encode(), kind, headers)

    def send_file(self, data: bytes, kind: str, name: str) -> None:
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "private"}
        if self.query.get("download"):
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self.send(200, data, kind, headers)
        first, last = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self.send(206, data[first : last + 1], kind, headers)

    def serve_page(self, path: str) -> None:
        file = (PAGE / (path.lstrip("/") or "index.html")).resolve()
        if PAGE not in file.parents or not file.is_file():
            raise Refused(404, "There is no such page.", "")
        self.send(200, file.read_bytes(), TYPES.get(file.suffix, "image/svg+xml"))

    def find(self, table: dict[str, Any], key: str) -> Any:
        if key not in table:
            raise Refused(404, f"There is nothing called {key}.", "List what there is, and take its identifier.")
        return table[key]

    def make(self, table: dict[str, Any], prefix: str, **row: Any) -> Any:
        key = self.state.new(prefix)
        table[key] = {"id": key, **row}
        return 201, table[key]

    def page(self, table: dict[str, Any], *names: str) -> dict[str, Any]:
        rows = [r for r in reversed(table.values()) if all(r[n] == self.query[n] for n in names if n in self.query)]
        start = next((i + 1 for i, row in enumerate(rows) if row["id"] == self.query.get("before")), 0)
        end = start + int(self.query.get("limit", 50))
        return {"items": rows[start:end], "next": rows[end - 1]["id"] if end < len(rows) else None}

    def on_session(self) -> Any:
        who = {"tenant": "example", "scopes": ["change", "library", "consent", "admin"]}
        if self.command == "POST":
            if self.body.get("key") != KEY:
                raise Refused(401, "This key is not known here.", "Make a new one: facechange keys new.")
            session = hashlib.sha256(now().encode()).hexdigest()
            self.state.sessions.add(session)
            cookie = f"fc_session={session}; HttpOnly; SameSite=Strict; Path=/"
            return self.send_json(200, who, {"Set-Cookie": cookie})
        if self.command == "DELETE":
            self.state.sessions.discard(self.session)
            return {}
        return who

    def on_library(self, key: str = "", what: str = "") -> Any:
        state = self.state
        if not key and self.command == "POST":
            with state.lock:
                return 201, self.keep(self.file, self.body.get("name") or self.name, self.body)
        if not key:
            return self.page(state.items, "set", "kind")
        item = self.find(state.items, key)
        if what == "content":
            return self.send_file(state.files[key], item["media_type"], item["name"])
        if what == "thumbnail":
            return self.send(200, self.thumbnail(item), "image/jpeg")
        if self.command == "PATCH":
            item |= self.body
        if self.command == "DELETE":
            del state.items[key], state.files[key]
            return {"id": key, "sha256": item["sha256"], "deleted": now()}
        return item

    def keep(self, data: bytes, name: str, told: dict[str, Any]) -> dict[str, Any]:
        return self.state.add(data, name, set=told.get("set"), expires=told.get("expires"))

    def on_uploads(self, key: str = "") -> Any:
        state, headers = self.state, {"Tus-Resumable": "1.0.0"}
        if self.command == "POST":
            pairs = dict(pair.split(" ") for pair in self.headers["Upload-Metadata"].split(","))
            words = {name: base64.b64decode(value).decode() for name, value in pairs.items()}
            key = state.new("upl")
            state.uploads[key] = {"data": b"", "length": int(self.headers["Upload-Length"]), **words}
            return self.send(201, b"", "text/plain", {**headers, "Location": f"/v1/uploads/{key}"})
        upload = self.find(state.uploads, key)
        if self.command == "PATCH":
            if int(self.headers["Upload-Offset"]) != len(upload["data"]):
                raise Refused(409, "That is not where the upload is.", "Go on there.")
            upload["data"] += self.file
            if len(upload["data"]) == upload["length"]:
                headers["X-Facechange-Item"] = self.keep(upload["data"], upload["filename"], upload)["id"]
        headers["Upload-Offset"] = str(len(upload["data"]))
        return self.send(204, b"", "text/plain", headers)

    def thumbnail(self, item: dict[str, Any]) -> bytes:
        data = self.state.files[item["id"]]
        source = EXAMPLE if item["kind"] == "video" else io.BytesIO(data)
        with Image.open(source) as picture:
            small = picture.convert("RGB")
            small.thumbnail((320, 320))
            return save(small, "JPEG")

    def on_sets(self) -> Any:
        if self.command == "POST":
            return self.make(self.state.sets, "set", **{"items": 0, **self.body})
        return self.page(self.state.sets)

    def on_faces(self) -> Any:
        item = self.find(self.state.items, self.body["picture"])
        boxes = [FACES["target"]]
        if item["width"] == 2 * SIZE:
            x, y, width, height = FACES["source"]
            boxes.append([x + SIZE, y, width, height])
        elif "nobody" in item["name"]:
            boxes = []
        scale, more = item["height"] / SIZE, {"points": [], "score": 0.93, "doubtful": False, "skipped": None}
        faces = [{"number": n, "box": [scale * side for side in box], **more} for n, box in enumerate(boxes, 1)]
        return {"width": item["width"], "height": item["height"], "faces": faces}

    def on_changes(self) -> Any:
        self.need_consent(self.body)
        numbers = {n for rule in self.body["rules"] for n in rule["selector"].split(",")}
        return self.begin("change", "Changed", max(1, len(numbers)))

    def on_anonymizations(self) -> Any:
        return self.begin("anonymization", "Anonymised", 1)

    def on_previews(self) -> Any:
        self.need_consent(self.body["change"])
        frames = []
        for number in range(self.body["frames"]):
            item = self.state.add(EXAMPLE.read_bytes(), f"frame {number}", expires=now())
            job = self.state.start("change", item["id"], self.changed(item), item["name"], "1 face changed", 1)
            frames.append({"seconds": number + 0.5, "target": item["id"], "job": job})
        return 202, {"frames": frames}

    def on_masks(self) -> Any:
        self.need_consent(self.body)
        data = (HERE / "masks.webp").read_bytes()
        return 202, self.state.start("masks", self.body["target"], data, "masks.png", "masks of 1 face drawn", 0)

    def need_consent(self, body: dict[str, Any]) -> None:
        words = body.get("consent", "")
        if len(words.split()) < 2 and words not in ("self", "synthetic") and not words.startswith("fc-"):
            raise Refused(403, f'"{words}" does not say who agreed, and to what.', "Say it in a sentence.")

    def begin(self, kind: str, word: str, faces: int) -> Any:
        item = self.find(self.state.items, self.body["target"])
        said = "1 face changed" if faces == 1 else f"{faces} faces changed"
        job = self.state.start(kind, item["id"], self.changed(item), f"{word} {item['name']}", said, faces)
        deadline = time.monotonic() + 10
        while self.body.get("wait") and job["state"] != "done" and time.monotonic() < deadline:
            time.sleep(0.02)
        return (200 if job["state"] == "done" else 202), job

    def changed(self, item: dict[str, Any]) -> bytes:
        if item["kind"] == "video":
            return self.state.files[item["id"]]
        with Image.open(HERE / "changed.webp") as new, Image.open(io.BytesIO(self.state.files[item["id"]])) as old:
            picture = old.convert("RGB")
            side = picture.height
            picture.paste(new.convert("RGB").resize((side, side)), (0, 0))
            return save(picture, "JPEG")

    def on_jobs(self, key: str = "", what: str = "") -> Any:
        if not key:
            return self.page(self.state.jobs, "state")
        job = self.find(self.state.jobs, key)
        if what == "cancel":
            job |= {"state": "cancelled", "finished": now()}
        if what == "result":
            item = self.find(self.state.items, job["result"])
            return self.send_file(self.state.files[item["id"]], item["media_type"], item["name"])
        if what == "events":
            return self.tell(job)
        return job

    def tell(self, job: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        over = False
        while not over:
            over = job["state"] in ("done", "failed", "cancelled")
            self.wfile.write(f"event: job\ndata: {json.dumps(job)}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.1)
        self.close_connection = True

    def on_characters(self, key: str = "", what: str = "") -> Any:
        state = self.state
        if what == "render":
            character = self.find(state.characters, key)
            self.need_consent(self.body)
            character["version"] += 1
            item = next(iter(state.items.values()))
            return 202, {"jobs": [state.start("render", item["id"], self.changed(item), "rendered.jpg", "done", 1)]}
        if self.command == "POST":
            row = {"name": self.body["name"], "seed": self.body.get("seed"), "set": next(iter(state.sets), None)}
            return self.make(state.characters, "char", version=1, **row)
        return self.page(state.characters)

    def on_consents(self, key: str = "", what: str = "") -> Any:
        if what == "revoke":
            record = self.find(self.state.consents, key)
            record |= {"state": "revoked", "reason": self.body.get("reason", "")}
            return record
        if self.command == "POST":
            if (self.body["basis"] == "release") != ("release" in self.body):
                raise Refused(403, "A written release and its file belong together.", "Give both.")
            return 201, self.state.record(**self.body)
        everything = self.query.get("everything") == "true"
        shown = [r for r in self.state.consents.values() if everything or r["state"] == "in force"]
        return {"items": shown, "next": None}

    def on_verify(self) -> Any:
        return {
            "sentences": [
                f"{self.name} was made with facechange: a face was changed by the model facechange-512 0.9.0.",
                "Its content credentials hold: the file is as it was signed.",
                "It was signed on this computer; nobody vouches for the signer.",
                "The consent it rests on is in force.",
            ]
        }

    def on_models(self) -> Any:
        return {"items": [{"name": f"facechange-{size}", "role": "change"} for size in (256, 512, 1024)]}


def serve(port: int = 0, state: State | None = None) -> ThreadingHTTPServer:
    """The stub, listening on this machine; its state is `server.state`."""
    kept = state or State()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"state": kept}))
    server.state = kept  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    running = serve(int(sys.argv[1]) if sys.argv[1:] else 8080, State(step_seconds=1))
    sys.stdout.write(f"http://127.0.0.1:{running.server_address[1]}/#key={KEY}\n")
    threading.Event().wait()
