"""Past one machine: the same work on the machines of a Ray cluster. Needs Ray, the extra `scale`."""

from facechange.scale.cluster import Cluster, connect
from facechange.scale.folders import FolderWork, WorkerRequest, change_on_cluster, opened_pool
from facechange.scale.pool import WorkerPool
from facechange.scale.storage import Mirror, Storage, mirrored
from facechange.scale.videos import SharedSwapper

__all__ = [
    "Cluster",
    "FolderWork",
    "Mirror",
    "SharedSwapper",
    "Storage",
    "WorkerPool",
    "WorkerRequest",
    "change_on_cluster",
    "connect",
    "mirrored",
    "opened_pool",
]
