"""What tests of consent and of provenance share."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's keys, published manifests and ledger are."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FACECHANGE_HOME", str(folder))
    return folder


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put settings in force, given as TOML."""

    def write(text: str) -> None:
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text(text, encoding="utf-8")
        monkeypatch.setenv("FACECHANGE_SETTINGS", str(home / "settings.toml"))

    return write
