"""axe-core on every view, with each screen and colour scheme; landmarks, names and titles by our own eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[3] / "examples"
VIEWS = ("change", "anonymise", "library", "characters", "jobs", "consents", "verify")
looks = pytest.mark.parametrize(("screen", "scheme"), [("desktop", "light"), ("phone", "dark")])


@pytest.fixture(scope="session")
def axe() -> str:
    return (Path(pytest.importorskip("axe_playwright_python").__file__).parent / "axe.min.js").read_text("utf-8")


def find_faults(page: Any, axe: str) -> list[str]:
    """What axe-core objects to, of any weight: its rule and the element."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]
    ]


def check(page: Any, axe: str, where: str) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    faults = [f"wider than the screen by {wide} px"] if wide > 0 else []
    return [f"{where}: {fault}" for fault in faults + find_faults(page, axe)]


def fill(state: Any, stub: Any) -> None:
    """One of everything."""
    state.add((EXAMPLES / "source.jpg").read_bytes(), "source.jpg")
    group = state.add(stub.draw_group(), "group.jpg")
    job = state.start("change", group["id"], (EXAMPLES / "target.jpg").read_bytes(), "Changed", "1 face changed", 1)
    state.sets["set-1"] = {"id": "set-1", "name": "Ann", "kind": "person", "items": 0}
    state.characters["c-1"] = {"id": "c-1", "name": "Mara", "seed": 7, "version": 2, "set": "set-1"}
    for end in ("in force", "revoked"):
        record = state.record([group["id"]], "both", who="Ann", basis="release", purpose="film", until="2030-01-01")
        record["state"] = end
    while job["state"] != "done":
        stub.time.sleep(0.05)


@looks
def test_axe_finds_nothing_in_any_view(
    open_page: Any, state: Any, stub: Any, axe: str, screen: str, scheme: str
) -> None:
    page = open_page("library", screen=screen, scheme=scheme)
    page.wait_for_selector(".empty")
    faults = check(page, axe, "empty library")
    fill(state, stub)
    item, job = list(state.items)[1], next(iter(state.jobs))
    ready = {"library": ".tile img", "jobs": ".job", "consents": ".record", "characters": "li.card h2"}
    for view in (*VIEWS, f"library/{item}", f"jobs/{job}", f"change?target={item}&source={item}"):
        page.goto(page.url.split("#")[0] + f"#/{view}")
        page.wait_for_selector(
            {f"library/{item}": ".facts", f"jobs/{job}": ".pair"}.get(view, ready.get(view, "main .drop"))
        )
        if "target" in view:
            page.wait_for_selector(".box >> nth=1")
            page.wait_for_selector(".person")
            page.fill("textarea", "yes")
            page.click("#start")
        faults += check(page, axe, view)
        assert page.title().endswith("· facechange")
        assert page.evaluate("document.querySelectorAll('h1').length") == 1
        assert page.evaluate("document.querySelectorAll('main, header, nav').length") == 3
    assert faults == []


@looks
def test_axe_finds_nothing_in_the_dialogs(
    open_page: Any, state: Any, stub: Any, axe: str, screen: str, scheme: str
) -> None:
    page = open_page("change", screen=screen, scheme=scheme)
    fill(state, stub)
    faults = []
    dialogs = {
        "change": ["text=From the library >> nth=0", "text=A character"],
        "consents": ["text=Add a consent", "text=Take back"],
        "characters": ["text=New character", "text=Render its pictures again"],
        "library": ["text=New set"],
        f"jobs/{next(iter(state.jobs))}": ["text=Full size"],
    }
    for view, buttons in dialogs.items():
        page.goto(page.url.split("#")[0] + f"#/{view}")
        for button in buttons:
            page.click(f"main >> {button}")
            page.wait_for_selector("dialog[open]")
            page.wait_for_timeout(200)
            faults += check(page, axe, f"{view} {button}")
            page.keyboard.press("Escape")
            page.wait_for_selector("dialog", state="detached")
            assert page.evaluate("document.activeElement.tagName") in ("BUTTON", "A")  # back where it came from
    assert faults == []


def test_axe_finds_nothing_at_the_door(open_page: Any, axe: str) -> None:
    page = open_page(signed_in=False)
    page.fill("#key", "fck_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert check(page, axe, "sign in") == []


def test_a_view_takes_the_focus_and_the_menu_opens_by_key(open_page: Any) -> None:
    page = open_page("verify", screen="phone")
    page.wait_for_selector("h1:has-text('Verify')")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.focus(".menu")
    page.keyboard.press("Enter")
    assert page.is_visible("#nav-jobs")
    page.keyboard.press("Escape")
    assert not page.is_visible("#nav-jobs")
