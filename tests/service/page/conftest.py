"""Chromium with the page of a stub, on a desktop's and a phone's screen."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
SCREENS = {"desktop": (1280, 800), "phone": (390, 844)}
BROWSERS = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="session")
def stub() -> ModuleType:
    """The module `stub.py`."""
    spec = importlib.util.spec_from_file_location("page_stub", HERE / "stub.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["page_stub"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="the page's tests need playwright, of the extra dev")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("the page's tests need Chromium (Debian: apt-get install chromium), which was not found")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def server(stub: ModuleType) -> Iterator[Any]:
    running = stub.serve(state=stub.State(step_seconds=0.1))
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def state(server: Any) -> Any:
    return server.state


@pytest.fixture
def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def open_page(browser: Any, address: str, stub: ModuleType) -> Iterator[Callable[..., Any]]:
    """Open the page at a view, signed in unless told otherwise; whatever the browser objects to fails the test."""
    contexts, objections = [], []

    def listen(message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            objections.append(message.text)  # breaches of the content security policy among them

    def make(view: str = "change", screen: str = "desktop", scheme: str = "light", signed_in: bool = True) -> Any:
        width, height = SCREENS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: objections.append(str(error)))
        if signed_in:
            page.goto(f"{address}/#key={stub.KEY}")
            page.wait_for_selector("h1:has-text('Change faces')")
        page.goto(f"{address}/#/{view}")
        return page

    yield make
    for context in contexts:
        context.close()
    assert objections == []
