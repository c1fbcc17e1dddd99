"""A run that is killed, or stopped by Ctrl-C, goes on as if nothing had happened: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.face import train_face

PROGRAM = """
import sys
from pathlib import Path
from facechange.training.config import load_config
from facechange.training.face import train_face
train_face(load_config(Path(sys.argv[1])))
"""


def start(config: FaceConfig, tmp_path: Path) -> subprocess.Popen[bytes]:
    config.save(tmp_path / "asked.json")
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "asked.json")], stderr=subprocess.DEVNULL)


def wait_for(path: Path, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_continues_the_same_sequence(
    how: signal.Signals, shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path
) -> None:
    config = FaceConfig(
        train=shards,
        run=tmp_path / "killed",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        batch=4,
        device="cpu",
        pictures=60,
        checkpoint_seconds=0,
    )
    process = start(config, tmp_path)
    wait_for(config.run / "face.safetensors", process)
    os.kill(process.pid, how)
    process.wait(60)
    seen = read_checkpoint(config.run / "face.safetensors")[1]["pictures"]
    assert seen < config.pictures, "it ended before it could be stopped"
    resumed, whole = train_face(config), train_face(replace(config, run=tmp_path / "whole"))
    expected, found = read_checkpoint(whole.checkpoint)[0], read_checkpoint(resumed.checkpoint)[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
