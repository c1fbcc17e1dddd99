"""A grant, a card, settings to write, and a home of its own for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facechange.consent import Grant, load_context, require_grant
from facechange.core import ModelCard
from facechange.provenance.marks import say_once


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's keys, published manifests and ledger are."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FACECHANGE_HOME", str(folder))
    say_once.cache_clear()
    return folder


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put settings in force, given as TOML."""

    def write(text: str) -> None:
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text(text, encoding="utf-8")
        monkeypatch.setenv("FACECHANGE_SETTINGS", str(home / "settings.toml"))

    return write


@pytest.fixture
def grant(home: Path) -> Grant:
    """Leave that is in the ledger, for no file of a test's."""
    return require_grant(load_context(), "Ann agreed", [], [])


@pytest.fixture
def grant_for(home: Path) -> Callable[..., Grant]:
    """Leave for certain targets and sources, by the settings now in force."""
    return lambda targets=(), sources=(): require_grant(load_context(), "Ann agreed", sources, targets)


@pytest.fixture
def card() -> ModelCard:
    texts = dict.fromkeys(("summary", "normalisation", "template", "data", "training", "limits"), "toy")
    details = {"name": "face-toy", "role": "change", "version": "1.2", "licence": "Apache-2.0", "sha256": "cd" * 32}
    return ModelCard(**texts, **details, size_px=64, parameters=0, inputs={}, outputs={})
