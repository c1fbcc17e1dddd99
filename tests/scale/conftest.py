"""A Ray cluster of this machine, and toy networks that its workers can load."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange.swap
from facechange.cli import app
from facechange.runtime import load_graph
from facechange.swap import Swapper

pytest.importorskip("ray")
ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
POISON = (1, 2, 3)  # the first pixel of a picture that ends whoever looks at it


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a cluster of two processors."""
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # its name; by default workers give way to everything else
    from ray.cluster_utils import Cluster

    for attempt in range(4):
        try:
            started = Cluster(
                initialize_head=True,
                head_node_args={"num_cpus": 2, "include_dashboard": False, "object_store_memory": 200 << 20},
            )
            break
        except Exception:  # on a busy machine a node takes longer than the half minute that Ray gives it
            if attempt == 3:
                raise
    yield started.address
    started.shutdown()


@pytest.fixture
def toy_networks(
    toy_swapper: Swapper, identity_path: Path, change_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """`load_swapper` gives toy networks, here and in workers; a worker that sees the returned file removes it and
    ends."""
    from ray import cloudpickle

    toy = type(toy_swapper._detector)
    module = sys.modules[toy.__module__]
    cloudpickle.register_pickle_by_value(module)
    here, flag = os.getpid(), tmp_path / "end-a-worker"

    class Mortal(toy):  # type: ignore[valid-type, misc]
        def detect(self, image: np.ndarray, threshold: float | None = None, thorough: bool = False) -> list:
            if os.getpid() != here and flag.exists():
                flag.unlink()
                os._exit(1)
            if tuple(image[0, 0]) == POISON:
                os._exit(1)
            return toy.detect(self, image, threshold, thorough)

    def load(*_: object, **__: object) -> Swapper:
        return Swapper(Mortal(), load_graph(identity_path, 1), load_graph(change_path, 1))

    monkeypatch.setattr(facechange.swap, "load_swapper", load)
    yield flag
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture
def folder(tmp_path: Path, faces_picture: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `in` of pictures with faces and one without, a source `a.png`, and results that are alike each time:
    their marks are off."""
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(tmp_path / "a.png")
    colours = (YELLOW, (220, 140, 90), (240, 160, 60))
    for index in range(5):
        faces = {(90, 150): colours[index % 3], (300, 150): colours[(index + 1) % 3]}
        Image.fromarray(faces_picture(faces)).save(tmp_path / "in" / f"{index}.png")
    Image.fromarray(faces_picture({(80, 150): YELLOW})).save(tmp_path / "in" / "deeper" / "b.jpg")
    Image.fromarray(faces_picture({})).save(tmp_path / "in" / "empty.png")
    settings = tmp_path / "settings.toml"
    settings.write_text("[marking]\ncredentials = false\nwatermark = false\n")
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(settings))
    return tmp_path / "in"


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    toy_networks: Path,
    folder: Path,
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in `tmp_path`: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facechange", *words])
        with pytest.raises(SystemExit) as stop:
            app.main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return invoke
