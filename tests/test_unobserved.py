"""No dependency asks the network for anything or writes outside our folders: shown where only a name server of ours
listens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Runs as root of a user, network and mount namespace: every look-up of a host goes to the socket here.
LISTENER = r"""
import fcntl, json, pathlib, socket, struct, subprocess, sys, threading
home, program, *words = sys.argv[1:]
with socket.socket() as control:
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
servers = pathlib.Path(home) / "resolv.conf"
servers.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
subprocess.run(["mount", "--bind", str(servers), "/etc/resolv.conf"], check=True)
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 53))
asked = []
def listen():
    while True:
        query = listener.recvfrom(4096)[0]
        asked.append(query[12:].split(b"\0")[0].decode("latin-1"))
threading.Thread(target=listen, daemon=True).start()
ended = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
servers.unlink()
left = sorted(str(path) for path in pathlib.Path(home).rglob("*"))
print(json.dumps({"code": ended.returncode, "said": ended.stderr[-2000:], "asked": asked, "left": left}))
"""
CONTROL = "import socket\ntry:\n    socket.getaddrinfo('control.example', 443)\nexcept OSError:\n    pass\n"
WORK = """
import importlib, sys, time
import numpy as np
from facechange.runtime import load_graph
graph = sys.argv[1]
for engine in ("cpu", "openvino"):
    try:
        load_graph(graph, 1, engine).run({"crop": np.zeros((1, 3, 112, 112), np.float32)})
    except Exception as error:
        assert "not installed" in str(error), error
for name in ("av", "c2pa", "cryptography", "cv2", "pillow_heif", "rich", "typer", "dlib", "onnx"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
time.sleep(0.5)
"""


def run_unobserved(home: Path, program: str, *words: str) -> dict:
    """What `program` asked a name server for and left in its home folder, in a network where nobody else is."""
    if not shutil.which("unshare") or not Path("/etc/resolv.conf").exists():
        pytest.skip("there is no unshare here")
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "CI"))}
    surroundings = kept | {
        "HOME": str(home),
        "FACECHANGE_HOME": str(home.parent / "facechange"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ended = subprocess.run(
        ["unshare", "-rnm", sys.executable, "-c", LISTENER, str(home), program, *words],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        pytest.skip(f"no network of one's own here: {ended.stderr.strip()[-200:]}")
    return json.loads(ended.stdout)


def test_the_name_server_sees_a_look_up(tmp_path: Path) -> None:
    assert any("control" in name for name in run_unobserved(tmp_path / "home", CONTROL)["asked"])


def test_no_dependency_looks_anything_up_or_writes_outside_our_folders(tmp_path: Path, identity_path: Path) -> None:
    seen = run_unobserved(tmp_path / "home", WORK, str(identity_path))
    assert seen == {"code": 0, "said": seen["said"], "asked": [], "left": []}, seen
