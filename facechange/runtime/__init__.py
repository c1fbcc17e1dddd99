"""Run exported graphs."""

from facechange.runtime.crops import BakedIdentity, ChangedCrops, CropSwapper
from facechange.runtime.graph import CHANGE_NAMES, EMBEDDED_NAMES, Graph, graph_path, load_graph
from facechange.runtime.tensors import to_tensor, to_unit_range

__all__ = [
    "CHANGE_NAMES",
    "EMBEDDED_NAMES",
    "BakedIdentity",
    "ChangedCrops",
    "CropSwapper",
    "Graph",
    "graph_path",
    "load_graph",
    "to_tensor",
    "to_unit_range",
]
