"""What a worker of the cluster does: it keeps the networks warm, and changes and marks photographs that others
publish."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray

from facechange.core import ClusterError, ConsentError, hash_file
from facechange.faces.select import Chosen
from facechange.images import read_picture
from facechange.provenance import MarkedPicture, Marks, mark_picture
from facechange.runtime import BakedIdentity
from facechange.runtime.crops import ChangedCrops
from facechange.scale.cluster import Versions, own_versions
from facechange.scale.personas import DecidedPersonas, Met
from facechange.swap.anonymize import find_changeable
from facechange.swap.assignment import IdentityAssignment
from facechange.swap.batch import ChangeOptions
from facechange.swap.photo import Changes, choose_faces_of, render_photograph
from facechange.swap.swapper import Swapper

LoadSwapper = Callable[[], Swapper]


@dataclass(frozen=True)
class Task:
    """A photograph to change."""

    target: Path
    sha256: str  # what consent was given for
    suffix: str  # of the result
    address: str = ""  # where `target` is read, if that is no path of the nodes


@dataclass(frozen=True, eq=False)
class Seen:
    """The faces of a photograph that are to become somebody else, and who the changeable ones are: [N, 512]."""

    chosen: Chosen
    originals: np.ndarray


@dataclass(frozen=True)
class Made:
    """A changed photograph, to be published, and what became of its faces."""

    marked: MarkedPicture
    changes: Changes
    seconds: float


class FaceWorker:
    """An actor. `load` gives its networks, `versions` are those of whoever asks for its work."""

    def __init__(self, load: LoadSwapper, versions: Versions) -> None:
        self._load = load
        self._versions = versions
        self._swapper: Swapper | None = None
        self._baked: BakedIdentity | None = None

    def ready(self) -> str:
        """The number of the node, as soon as the networks are loaded.

        Raises `ClusterError` where a node that came later has other versions, and what loading raises.
        """
        if own_versions() != self._versions:
            raise ClusterError(
                f"A node has {', '.join(own_versions())} (Ray, Python, facechange), not {', '.join(self._versions)}.",
                "Install the same versions on every node.",
            )
        self._swapper = self._load()
        return str(ray.get_runtime_context().get_node_id())

    def look(self, task: Task, options: ChangeOptions) -> Seen:
        """Whose faces a photograph has, for those who decide in order who they become."""
        with self._opened(task) as (swapper, path):
            picture = read_picture(path)
        chosen = choose_faces_of(swapper, picture, task.target, options.face, everybody=True)
        places = find_changeable(chosen.faces, options.fallback)
        return Seen(chosen, swapper.comparer.read(picture.rgb8(), chosen.faces)[0][places])

    def change(
        self,
        task: Task,
        assignment: IdentityAssignment,
        options: ChangeOptions,
        marks: Marks,
        chosen: Chosen | None = None,
    ) -> Made:
        """Change and mark a photograph."""
        started = time.perf_counter()
        with self._opened(task) as (swapper, path):
            baked = None if assignment.everyone is None else self._bake(assignment.everyone)
            picture, faces, changes = render_photograph(
                swapper, assignment, path, baked=baked, chosen=chosen, **options.of_photograph()
            )
        marked = mark_picture(picture, task.suffix, marks=marks, card=swapper.card, faces=faces)
        return Made(marked, changes, time.perf_counter() - started)

    def change_hiding(
        self, task: Task, seed: int, met: Sequence[Met], options: ChangeOptions, marks: Marks, chosen: Chosen
    ) -> Made:
        """`change` where everybody becomes the persona that was decided."""
        return self.change(task, DecidedPersonas(seed, met), options, marks, chosen)

    def change_crops(self, crops: np.ndarray, identity: np.ndarray, baked: bool) -> ChangedCrops:
        """Aligned crops of a video, changed; `before` stays with who asks."""
        assert self._swapper is not None
        changed = self._swapper.change_crops(crops, self._bake(identity) if baked else identity)
        return replace(changed, before=crops[:0])

    @contextmanager
    def _opened(self, task: Task) -> Iterator[tuple[Swapper, Path]]:
        """The networks and the file, after a look whether it is what consent was given for."""
        assert self._swapper is not None
        with tempfile.TemporaryDirectory(prefix="facechange-") as folder:
            path = task.target
            if task.address:
                from facechange.scale.storage import Storage  # late: most folders are paths

                parent, _, name = task.address.rpartition("/")
                path = Path(folder) / task.target.name
                Storage(parent).fetch(name, path)
            if hash_file(path) != task.sha256:
                raise ConsentError(
                    f"{task.target.name} is another file on a node of the cluster than here.",
                    "Give every node the same folder in the same place.",
                )
            yield self._swapper, path

    def _bake(self, identity: np.ndarray) -> BakedIdentity:
        assert self._swapper is not None
        if self._baked is None or not np.array_equal(self._baked.identity, identity):
            self._baked = self._swapper.bake(identity)
        return self._baked


def start_worker(load: LoadSwapper, cpus: float, gpus: float) -> Any:
    """An actor of that many processors and GPUs. It is never restarted by Ray, so that whoever lost it knows."""
    actor: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(FaceWorker)
    return actor.remote(load, own_versions())
