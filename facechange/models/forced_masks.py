"""The face-change graph with its control masks taken out of its hands: what do they do for the result?"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from facechange.core import DependencyError, ModelError, hash_file, load_card

VALUE = "forced_mask_value"  # of the constant in the graph


def force_masks(path: Path, value: float, folder: Path) -> Path:
    """Write the graph at `path` with every control mask equal to `value` (0..1) to `folder`, with a card; returns its
    path.

    0 takes nothing of the target, 1 all of its attribute features (F3 = F2 + M ⊙ f_att, paras 55-59). Needs the package
    `onnx` (`DependencyError`); raises `ModelError` where the graph's masks do not steer its result.
    """
    if find_spec("onnx") is None:
        raise DependencyError(
            "Forcing masks needs the package onnx, which is not installed.",
            'Install it with: pip install "facechange[train]"',
        )
    import onnx
    from onnx import helper, numpy_helper

    card = load_card(path.with_suffix(".json"))
    model = onnx.load(str(path))
    graph = model.graph
    masks = [output.name for output in graph.output if output.name.startswith("mask_")]
    used = {name for node in graph.node for name in node.input}
    if not masks or not used.issuperset(masks):
        raise ModelError(
            f"{card.name} does not compute its result from its mask outputs.",
            "Export it again, or leave the reference rows out.",
        )
    graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), VALUE))
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name in masks:
                node.output[place] = f"{name}_free"
                nodes.append(helper.make_node("Clip", [f"{name}_free", VALUE, VALUE], [name], f"{name}_forced"))
    del graph.node[:]
    graph.node.extend(nodes)
    forced = folder / f"{path.stem}-masks-{value:g}.onnx"
    onnx.save(model, str(forced))
    replace(card, name=f"{card.name}-masks-{value:g}", sha256=hash_file(forced), metrics={}).save(
        forced.with_suffix(".json")
    )
    return forced
