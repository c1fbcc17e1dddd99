"""The Ray cluster that work is given to: reached, and looked at before anything begins."""

from __future__ import annotations

import platform
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from facechange import __version__
from facechange.core import ClusterError

LOCAL, AUTO = "local", "auto"  # a cluster for this run alone; the one that RAY_ADDRESS names or that runs here
LOCAL_STORE_BYTES = 1 << 30
REACH_SECONDS = 5.0
LOOK_SECONDS = 120.0
_HOST = re.compile(r"(?:ray://)?\[?([^\]/]+?)\]?:(\d+)")

Versions = tuple[str, str, str]  # of Ray, Python and facechange


@dataclass(frozen=True)
class Cluster:
    """The nodes that were there when the work began."""

    nodes: tuple[dict[str, Any], ...]

    def total(self, resource: str) -> int:
        """How much of a resource (CPU, GPU) all nodes have together."""
        return int(sum(node["Resources"].get(resource, 0) for node in self.nodes))


def own_versions() -> Versions:
    """What a node has to have, as it is here."""
    return ray.__version__, platform.python_version(), __version__


@contextmanager
def connect(
    address: str,
    inputs: Sequence[Path] = (),
    local_cpus: int | None = None,
    telling: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[Cluster]:
    """Reach the cluster at `address` and check every node: the same versions as here, and the same `inputs` in the same
    places.

    `address` is HOST:PORT, `ray://HOST:PORT`, `auto` or `local`, a cluster of this machine (of `local_cpus`) for as long
    as the body runs; what `telling` gives is open until it is reached. Raises `ClusterError`.
    """
    try:
        with telling():
            _reach(address)
            _begin(address, local_cpus)
            cluster = Cluster(tuple(node for node in ray.nodes() if node["Alive"]))
            _check_nodes(cluster, inputs)
        yield cluster
    finally:
        ray.shutdown()


def _begin(address: str, local_cpus: int | None) -> None:
    _silence()
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        settings |= {"include_dashboard": False, "num_cpus": local_cpus, "object_store_memory": LOCAL_STORE_BYTES}
        settings["_node_ip_address"] = "127.0.0.1"
        settings["_system_config"] = {"worker_niceness": 0}  # by default workers give way to everything else
    try:
        ray.init(address=address, **settings)  # "local" begins one, whatever RAY_ADDRESS says
    except Exception as error:  # Ray raises what comes, bare exceptions too
        if "mismatch" not in str(error).lower():
            raise _no_cluster(address) from error
        raise ClusterError(
            "The cluster runs another version of Ray or Python than this machine, which has Ray "
            f"{ray.__version__} and Python {platform.python_version()}.",
            "Install the cluster's versions here, or these on its nodes.",
        ) from error


def _silence() -> None:
    """Keep Ray from printing paragraphs of its own between our lines, for which it has no setting: what dies is seen and
    said here."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


def _reach(address: str) -> None:
    """Raise `ClusterError` where nobody listens: Ray would try for minutes."""
    match = _HOST.fullmatch(address)
    if address in (LOCAL, AUTO):
        return
    if match is None:
        raise ClusterError(f"{address} is no address of a cluster.", "Write HOST:PORT, auto or local.")
    try:
        socket.create_connection((match[1], int(match[2])), REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address) from error


def _no_cluster(address: str) -> ClusterError:
    where = "here" if address == AUTO else f"at {address}"
    return ClusterError(
        f"There is no Ray cluster {where}.",
        "Start one with ray start --head, name one as in --ray HOST:PORT, or use this machine alone with --ray local.",
    )


def make_look(wanted: Versions, inputs: list[tuple[str, int]]) -> Callable[[], str]:
    """What is asked of a node: what keeps it from working, in words; empty where nothing does.

    It is a function within a function, so that it travels as it is: a node without facechange can answer too.
    """

    def look() -> str:
        import os
        import platform

        import ray

        try:
            from facechange import __version__ as version
        except Exception:
            return "has no facechange"
        found = ray.__version__, platform.python_version(), version
        for name, here, there in zip(("Ray", "Python", "facechange"), wanted, found, strict=True):
            if here != there:
                return f"has {name} {there}, this machine {here}"
        for path, size in inputs:
            if not os.path.exists(path) or (size >= 0 and os.path.getsize(path) != size):
                return f"does not see {path} as it is here"
        return ""

    return look


def _check_nodes(cluster: Cluster, inputs: Sequence[Path]) -> None:
    """Raise `ClusterError` for the first node that cannot take part."""
    seen = [(str(path.absolute()), path.stat().st_size if path.is_file() else -1) for path in inputs]
    look = ray.remote(num_cpus=0, max_retries=0)(make_look(own_versions(), seen))
    asked = {
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
        for node in cluster.nodes
    }
    for answer, node in asked.items():
        name = node["NodeManagerAddress"]
        try:
            trouble = ray.get(answer, timeout=LOOK_SECONDS)
        except GetTimeoutError:
            raise ClusterError(
                f"The node {name} does not answer.", "Look at ray status, and restart the node."
            ) from None
        except RayError as error:
            raise ClusterError(
                f"The node {name} cannot work ({type(error).__name__}).", "Look at ray status, and restart the node."
            ) from error
        if "see" in trouble:
            raise ClusterError(
                f"The node {name} {trouble}.", "Give every node the folder in the same place, or use s3:// addresses."
            )
        if trouble:
            raise ClusterError(f"The node {name} {trouble}.", "Install the same versions on every node.")
