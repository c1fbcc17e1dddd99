"""Where memory is limited (`ulimit -v`) and a library ends the process for want of it, a sentence and an exit code are
left all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")
BEGIN = """
import os, resource, signal, sys, threading, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from facechange.cli.memory_limit import guard_memory_limit
guard_memory_limit()
"""


def start(program: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", BEGIN + program], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("os.abort()", 71),  # as FFmpeg
        ("signal.raise_signal(signal.SIGSEGV)", 71),  # as OpenBLAS where it starts
        ("os._exit(1)", 71),  # as OpenBLAS later
        ("os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)", 143),
        ("print('done')", 0),
        ("sys.exit(11)", 11),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_whatever_ends_the_work_has_an_exit_code_of_ours(program: str, code: int) -> None:
    process = start(program)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ("done\n" if program.startswith("print") else "")
    assert ("limited to 3072 MB" in err) == (code == 71), err


def test_the_command_line_is_guarded(tmp_path: Path) -> None:
    """NumPy cannot be loaded, and ends the process."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (230 << 20,) * 2)\n"
        "import sys; sys.argv = ['facechange', 'swap', 'a.png', 'b.png', '-o', 'c.png', '--consent', 'x']\n"
        "from facechange.cli.app import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 71, ended.stderr
    assert ended.stderr.strip().splitlines()[-1].startswith("There is not enough memory for this")
