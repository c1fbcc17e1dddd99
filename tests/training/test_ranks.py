"""A run on several ranks is the run on one: the same pictures, the same weights, whoever began it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facechange.core import TrainingError
from facechange.data.shards import load_faces
from facechange.training import loop
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.face import FaceTraining, train_face
from facechange.training.loop import Training
from facechange.training.ranks import Ranks

PROGRAM = """
import sys
from pathlib import Path
from facechange.training.config import load_config
from facechange.training.face import train_face
train_face(load_config(Path(sys.argv[1])), print)
"""


@pytest.fixture
def config(config: FaceConfig) -> FaceConfig:
    return replace(config, micro_batches=2)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As `torchrun` gives each rank, so that sums are made in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run_on_two(config: FaceConfig, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Train as `torchrun --nproc-per-node 2` does."""
    config.save(tmp_path / "asked.json")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(tmp_path / "program.py"), str(tmp_path / "asked.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def assert_same_run(one: Path, other: Path) -> None:
    expected, found = (read_checkpoint(run / "face.safetensors") for run in (one, other))
    assert expected[1]["pictures"] == found[1]["pictures"] and expected[0].keys() == found[0].keys()
    for name, tensor in expected[0].items():
        assert torch.allclose(tensor, found[0][name], atol=1e-5, rtol=1e-5), name


def test_two_ranks_are_one_process_and_take_over_from_each_other(
    config: FaceConfig, tmp_path: Path, one_thread: None
) -> None:
    train_face(config)
    changing = replace(config, run=tmp_path / "changing")
    train_face(replace(changing, pictures=4))
    ended = run_on_two(replace(changing, pictures=12), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("'pictures': 12") == 1, "the first rank alone reports"
    train_face(changing)
    assert_same_run(config.run, changing.run)
    rows = [json.loads(line) for line in (changing.run / "log.jsonl").read_text().splitlines()]
    assert [row["pictures"] for row in rows] == [4, 12, 16]
    shared = [row for row in rows if "pictures_per_second_rank_1" in row]
    assert [row["pictures"] for row in shared] == [12] and shared[0]["pictures_per_second_rank_0"] > 0
    assert (changing.run / "sheet-00000012.png").exists()


@pytest.mark.slow
def test_windows_are_shared_too(config: FaceConfig, tmp_path: Path, one_thread: None) -> None:
    small = train_face(replace(config, pictures=4))
    windows = replace(config, run=tmp_path / "one", size=128, window=64, start_from=small.checkpoint, pictures=8)
    train_face(windows)
    ended = run_on_two(replace(windows, run=tmp_path / "two"), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert_same_run(tmp_path / "one", tmp_path / "two")


def test_ranks_take_what_one_takes(config: FaceConfig) -> None:
    training = FaceTraining(replace(config, batch=16, micro_batches=4), torch.device("cpu"))
    training.ranks = Ranks(0, 1)
    whole = next(training.batches(3))
    for size in (2, 4):
        taken = []
        for rank in range(size):
            training.ranks = Ranks(rank, size)
            taken += next(training.batches(3))
        assert [batch.number for batch in taken] == [batch.number for batch in whole] == [12, 13, 14, 15]
        assert all(torch.equal(one.target, other.target) for one, other in zip(taken, whole, strict=True))
    assert len({float(batch.target.sum()) for batch in whole}) == 4 and len(load_faces(config.train, 128)) > 1


def test_what_ranks_cannot_share_is_said(config: FaceConfig) -> None:
    with pytest.raises(TrainingError, match=r"2 ranks cannot share batches of 1 micro-batches.*--micro-batches 2"):
        loop._check_shares(Training(), Ranks(0, 2))
    with pytest.raises(TrainingError, match="cannot be cut into 3"):
        replace(config, micro_batches=3)
    train_face(replace(config, pictures=4))
    with pytest.raises(TrainingError, match="another micro_batches"):
        train_face(replace(config, micro_batches=1))


def test_ranks_without_each_other_say_so(config: FaceConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(TrainingError, match=r"did not meet.*torchrun"):
        train_face(config)
