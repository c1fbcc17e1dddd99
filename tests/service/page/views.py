"""Draw each view of the page into docs/service, against the stub: `python tests/service/page/views.py`."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import stub
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[3]
OUT = ROOT / "docs" / "service"
SOURCE, TARGET = (str(ROOT / "examples" / f"{name}.jpg") for name in ("source", "target"))
SENTENCE = "Ann and Ben agreed in writing to this change for our film."


def draw(page: Any, name: str) -> None:
    """The view as WebP, at most 1,400 px of it."""
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(300)
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as seen:
        seen.crop((0, 0, seen.width, min(seen.height, 1400))).save(OUT / f"{name}.webp", quality=60, method=6)


def walk(page: Any, address: str, state: Any, group: Path, tag: str) -> None:
    """Through every view."""
    page.goto(address)
    page.wait_for_selector("#key")
    draw(page, f"sign-in-{tag}")
    page.goto(f"{address}/#key={stub.KEY}")
    page.reload()
    page.wait_for_selector(".drop")
    page.set_input_files("#target-file", str(group))
    page.wait_for_selector(".box")
    page.set_input_files("#add-person", [SOURCE, TARGET])
    page.wait_for_selector(".person >> nth=1")
    page.fill("textarea", SENTENCE)
    draw(page, f"change-{tag}")
    state.steps = 40
    page.click("#start")
    page.wait_for_selector("text=/about .* left/")
    draw(page, f"job-{tag}")
    page.wait_for_selector(".pair")
    draw(page, f"result-{tag}")
    state.steps = 2
    page.click("#masks")
    page.wait_for_selector("dialog .sheet")
    draw(page, f"masks-{tag}")
    page.goto(f"{address}/#/anonymise")
    page.set_input_files("#anonymise-files", [SOURCE, TARGET])
    page.wait_for_selector(".file >> nth=1")
    page.click("#start")
    page.wait_for_selector("text=2 of 2")
    draw(page, f"anonymise-{tag}")
    state.record([next(iter(state.items))], "both", who="Ann Lee, 3 May", basis="release", purpose="film")
    state.characters["chr"] = {"id": "chr", "name": "Mara", "seed": 7, "version": 2, "set": None}
    ready = {"library": ".tile", "jobs": ".job", "consents": ".record", "characters": "li.card h2", "verify": ".drop"}
    for view, selector in ready.items():
        page.goto(f"{address}/#/{view}")
        page.wait_for_selector(selector)
        if view == "verify":
            page.set_input_files("#verify-file", SOURCE)
            page.wait_for_selector(".outcomes")
        draw(page, f"{view}-{tag}")


def main() -> None:
    group = ROOT / ".cache" / "group.jpg"
    group.parent.mkdir(exist_ok=True)
    group.write_bytes(stub.draw_group())
    path = next(found for name in ("/usr/lib/chromium/chromium", "chromium") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for tag, (width, height), scheme in (("desktop", (1280, 800), "light"), ("phone", (390, 844), "dark")):
            server = stub.serve(state=stub.State(step_seconds=0.2))
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            walk(page, f"http://127.0.0.1:{server.server_address[1]}", server.state, group, tag)  # type: ignore[attr-defined]
            server.shutdown()
        browser.close()


if __name__ == "__main__":
    main()
