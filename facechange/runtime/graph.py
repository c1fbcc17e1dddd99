"""Run an exported graph on the processor; nothing here knows an architecture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from facechange.core import ModelCard, ModelError, hash_file, load_card

EMBEDDED_NAMES = ("locator", "identity", "change")  # a graph a role, in facechange/weights


class Graph:
    """A loaded graph with its card. Made by `load_graph`; safe to share between threads."""

    def __init__(self, session: Any, card: ModelCard) -> None:
        self._session = session
        self.card = card
        self.input_names: list[str] = [value.name for value in session.get_inputs()]
        self.output_names: list[str] = [value.name for value in session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Run the graph on named arrays; returns the named `outputs`, or all of them.

        Raises `ModelError` where a name, a shape or a type does not fit the graph.
        """
        names = self.output_names if outputs is None else list(outputs)
        missing = [name for name in names if name not in self.output_names]
        if missing:
            raise ModelError(f"The graph {self.card.name} has no output {missing[0]}.", "Export the model again.")
        try:
            values = self._session.run(names, dict(inputs))
        except Exception as error:  # ONNX Runtime's own errors share no public base class
            reason = str(error).splitlines()[0]
            raise ModelError(f"The graph {self.card.name} did not run ({reason}).", "Check the shapes its card names.") from error
        return dict(zip(names, values, strict=True))


def embedded_path(name: str) -> Path:
    """Where the graph that ships for a role (`locator`, `identity` or `change`) lies."""
    return Path(str(files("facechange") / "weights" / f"{name}.onnx"))


def load_graph(name_or_path: str | Path, threads: int | None = None) -> Graph:
    """Load an embedded graph by its role, or any `.onnx` file with its card (`.json`) beside it.

    `threads` defaults to the processors this process may use. Raises `ModelError` where the file or its card is
    missing, where its SHA-256 is not the card's, or where ONNX Runtime cannot load it.
    """
    path = embedded_path(str(name_or_path)) if str(name_or_path) in EMBEDDED_NAMES else Path(name_or_path)
    if not path.is_file():
        raise ModelError(f"There is no model at {path}.", "Give the path of an exported .onnx file, or leave the option out.")
    card = load_card(path.with_suffix(".json"))
    if hash_file(path) != card.sha256:
        raise ModelError(f"{path.name} is not the file its card describes.", "It is damaged or was replaced: install or export it again.")
    return Graph(_open_session(path, threads), card)


def _open_session(path: Path, threads: int | None) -> Any:
    import onnxruntime  # late: a command that runs no graph need not load it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _usable_processors()
    options.log_severity_level = 3  # errors only; they come back as exceptions
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no public base class
        raise ModelError(f"{path.name} cannot be loaded ({str(error).splitlines()[0]}).", "Export the model again.") from error


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # respects taskset and container limits that cpu_count does not see
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
