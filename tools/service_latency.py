"""How long a change of a photograph of 1 megapixel takes over HTTP, beside the same library call; both warm.

`facechange serve` runs on this machine, and FACECHANGE_KEY holds a key of it:

    python tools/service_latency.py --url http://127.0.0.1:8443 --rounds 30

Each round does the change three times: by the library, from files to a file; over HTTP with both pictures in the
service's library already; over HTTP with both sent along. Over HTTP it ends when the result is on this disk.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

import facechange

EXAMPLES = Path(__file__).parents[1] / "examples"
MODEL, CONSENT = "facechange-256", "synthetic"  # nobody in the examples exists
WARM_ROUNDS = 4  # so that each of two workers has loaded its model
FACTOR, MORE_MS = 1.25, 30.0  # what over HTTP is asked to stay within
OVER = ("done", "failed", "cancelled")


def read_example(name: str) -> bytes:
    """The picture `name` of examples/ as a JPEG of 1000 × 1000 px."""
    out = io.BytesIO()
    with Image.open(EXAMPLES / name) as picture:
        picture.resize((1000, 1000), Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def change_request(source: str, target: str) -> dict[str, Any]:
    """The JSON of `POST /v1/changes`."""
    rules = [{"sources": [source], "selector": "all"}]
    return {"target": target, "rules": rules, "consent": CONSENT, "model": MODEL}


def form_request(source: bytes, target: bytes) -> dict[str, Any]:
    """The same with the pictures in it, as `data` and `files` of an HTTP client."""
    files = {"source": ("source.jpg", source), "target": ("target.jpg", target)}
    return {"data": {"request": json.dumps(change_request("file:source", "file:target"))}, "files": files}


def change_over_http(http: httpx.Client, output: Path, **request: Any) -> None:
    """Ask for a change, wait until it is over, and save the result. Raises `httpx.HTTPStatusError`."""
    job = http.post("/v1/changes", **request).raise_for_status().json()
    while job["state"] not in OVER:
        time.sleep(0.05)
        job = http.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
    output.write_bytes(http.get(f"/v1/jobs/{job['id']}/result").raise_for_status().content)


def measure(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The median milliseconds of each way; they take turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(WARM_ROUNDS + rounds):
        for name, change in ways.items():
            begin = time.perf_counter()
            change()
            taken[name].append(1000 * (time.perf_counter() - begin))
    return {name: statistics.median(each[WARM_ROUNDS:]) for name, each in taken.items()}


def main() -> None:
    """A line for each way."""
    from facechange.swap import load_swapper

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8443")
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    pictures = [read_example("source.jpg"), read_example("target.jpg")]
    swapper = load_swapper(MODEL, many_runs=True)  # as the service's workers load it
    headers = {"Authorization": f"Bearer {os.environ['FACECHANGE_KEY']}"}
    with tempfile.TemporaryDirectory() as folder, httpx.Client(base_url=given.url, headers=headers, timeout=60) as http:
        source, target, output = (Path(folder, name) for name in ("source.jpg", "target.jpg", "changed.jpg"))
        items = []
        for file, data in zip((source, target), pictures, strict=True):
            file.write_bytes(data)
            answer = http.post("/v1/library", files={"file": (file.name, data)}).raise_for_status()
            items.append(answer.json()["id"])
        ways: dict[str, Callable[[], Any]] = {
            "library": partial(facechange.swap_photo, source, target, output, CONSENT, swapper=swapper),
            "pictures in the service": partial(change_over_http, http, output, json=change_request(*items)),
            "pictures sent along": partial(change_over_http, http, output, **form_request(*pictures)),
        }
        medians = measure(ways, given.rounds)
        for item in items:
            http.delete(f"/v1/library/{item}").raise_for_status()
    library = medians.pop("library")
    print(f"library: {library:.1f} ms (median of {given.rounds})")
    for name, median in medians.items():
        kept = "within" if median <= FACTOR * library + MORE_MS else "not within"
        print(
            f"HTTP, {name}: {median:.1f} ms, {median / library:.2f} x, {median - library:+.1f} ms, "
            f"{kept} {FACTOR} x + {MORE_MS:.0f} ms"
        )


if __name__ == "__main__":
    main()
