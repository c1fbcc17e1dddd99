"""What commands with `--ray` share: the cluster is reached, and its workers are there for as long as the work takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facechange.cli.console import waiting

if TYPE_CHECKING:
    from facechange.scale import Cluster, WorkerPool
    from facechange.swap import Swapper


@dataclass(frozen=True)
class RayRequest:
    """What was asked for with `--ray` and `--ray-workers`."""

    address: str
    workers: int | None = None


@contextmanager
def reaching(ray: RayRequest | None, inputs: Sequence[Path] = ()) -> Iterator[Cluster | None]:
    """The cluster, whose nodes see `inputs` as they are here; None where none was asked for."""
    if ray is None:
        yield None
        return
    from facechange.cli.extras import need_scale

    need_scale()
    from facechange.scale import connect

    with connect(ray.address, inputs, telling=partial(waiting, "Looking at the cluster")) as cluster:
        yield cluster


@contextmanager
def working(
    ray: RayRequest | None,
    cluster: Cluster | None,
    load: Callable[..., Swapper],
    model: str,
    threads: int | None,
    engine: str,
    threshold: float | None,
) -> Iterator[WorkerPool | None]:
    """Workers with the networks that `load` gives, one a device; None where there is no cluster."""
    if ray is None or cluster is None:
        yield None
        return
    from facechange.scale import WorkerRequest, opened_pool

    request = WorkerRequest(ray.workers, threads or 1, engine)
    with opened_pool(cluster, partial(load, model, request.threads, engine, True, threshold), request) as pool:
        yield pool
