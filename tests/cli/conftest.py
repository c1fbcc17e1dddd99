"""The command line as a function, in a folder of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facechange.cli import app


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in `tmp_path`: exit code, stdout, stderr."""
    monkeypatch.delenv("FACECHANGE_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facechange", *arguments])
        with pytest.raises(SystemExit) as stop:
            app.main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return invoke
