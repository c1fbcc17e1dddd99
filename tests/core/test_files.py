"""Files appear whole or not at all, and nothing of a killed run stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facechange.core import OutputError, files
from facechange.core.files import check_place, hidden_beside, part_file, plain_errors, write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from facechange.core.files import part_file
with part_file(Path(sys.argv[1])) as part:
    part.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def another_process() -> None:
    files._sweep.cache_clear()


def test_what_a_killed_run_left_is_swept_and_what_another_writes_is_not(tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    theirs = [tmp_path / ".facechange-notes.part", tmp_path / "facechange-0123456789abcdef.part"]
    for path in theirs:
        path.touch()
    (tmp_path / f".facechange-{16 * 'a'}.part").mkdir()
    (tmp_path / f".facechange-{16 * 'b'}.part").symlink_to(theirs[0])
    with part_file(tmp_path) as mine:
        files._sweep.cache_clear()
        with part_file(tmp_path):
            assert mine.exists()
    assert not left.exists()
    assert all(path.exists() for path in theirs)


def test_a_part_file_that_is_taken_for_abandoned_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, swept = files.fcntl.flock, []

    def sweep_first(handle: int, operation: int) -> None:
        if not swept:
            swept.extend(tmp_path.glob(".facechange-*.part"))
            swept[0].unlink()
        lock(handle, operation)

    monkeypatch.setattr(files.fcntl, "flock", sweep_first)
    with part_file(tmp_path) as part:
        assert part.exists()
        assert [part] != swept
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_too_long_is_said_and_one_that_just_fits_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too long") as raised:
        check_place(tmp_path / f"{'a' * 252}.png")
    assert "shorter" in raised.value.remedy
    for name in (f"{'a' * 251}.png", f"{'ä' * 125}.png"):
        check_place(tmp_path / name)
        write_whole(b"x", tmp_path / name)
        hidden = hidden_beside(tmp_path / name)
        with plain_errors(hidden):
            hidden.mkdir()
    assert hidden_beside(tmp_path / "short.mp4").name == ".short.mp4.facechange"
    assert len({hidden_beside(Path(f"{'a' * 250}{end}")).name for end in "bcd"}) == 3
    assert os.fsencode(hidden_beside(Path("ä" * 127)).name).endswith(b".facechange")
