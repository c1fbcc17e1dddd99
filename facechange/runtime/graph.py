"""Run an exported graph; nothing here knows an architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from facechange.core import ModelCard, ModelError, hash_file, is_out_of_memory, load_card
from facechange.runtime.base import Engine, Model
from facechange.runtime.engines import check_engine, choose_engine, usable_processors

# the face-change models that ship, quick to slow
CHANGE_NAMES = ("facechange-256", "facechange-512", "facechange-1024")
# What the release before called them.
EMBEDDED_NAMES = ("detector", "scout", "identity", "recognizer", *CHANGE_NAMES, "personas")
EARLIER_NAMES = {
    "change": "facechange-256",
    "change-large": "facechange-512",
    "change-largest": "facechange-1024",
    "locator": "scout",
    "recogniser": "recognizer",
}
# the graphs in facechange/weights


class Graph:
    """A loaded graph with its card. Made by `load_graph`; safe to share between threads."""

    def __init__(self, model: Model, card: ModelCard, engine: str) -> None:
        self._model = model
        self._wish = engine
        self._engine: Engine
        self._engine, self.engine_reason = choose_engine(model, engine)
        self.card = card
        self.input_names = self._engine.input_names
        self.output_names = self._engine.output_names

    @property
    def engine(self) -> str:
        """What runs it, for people: "OpenVINO CPU bf16", "ONNX Runtime CPU"."""
        return self._engine.name

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Run the graph on named arrays; returns the named `outputs`, or all of them.

        Where memory does not suffice for a batch, it is run in halves. Raises `ModelError` where a name, a shape or a
        type does not fit the graph, `MemoryError` where memory does not suffice for a single item.
        """
        names = self.output_names if outputs is None else list(outputs)
        missing = [name for name in names if name not in self.output_names]
        if missing:
            raise ModelError(f"The graph {self.card.name} has no output {missing[0]}.", "Export the model again.")
        try:
            return dict(zip(names, self._engine.run(inputs, names), strict=True))
        except Exception as error:  # the engines' own errors share no public base class
            if is_out_of_memory(error):
                return self._run_in_halves(inputs, names)
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise ModelError(
                f"The graph {self.card.name} did not run ({reason}).", "Check the shapes its card names."
            ) from error

    def bake(self, inputs: Mapping[str, np.ndarray]) -> Graph:
        """This graph specialised to constant inputs, which it then no longer takes; quicker to run, in memory only.

        For a change graph, `bake({"identity": [1, 512]})`: every convolution that the identity modulates becomes a
        plain one. Raises `ModelError` for a name or a shape that is not the graph's.
        """
        unknown = [name for name in inputs if name not in self.input_names]
        if unknown:
            raise ModelError(
                f"The graph {self.card.name} has no input {unknown[0]}.", f"It takes {', '.join(self.input_names)}."
            )
        fixed = {name: np.ascontiguousarray(values, np.float32) for name, values in inputs.items()}
        return Graph(replace(self._model, fixed={**self._model.fixed, **fixed}), self.card, self._wish)

    def _run_in_halves(self, inputs: Mapping[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
        batch = max(len(values) for values in inputs.values())
        if batch < 2:
            raise MemoryError(f"not enough memory to run {self.card.name}")
        halves = []
        # an input of another length serves the whole batch
        for half in (slice(0, batch // 2), slice(batch // 2, batch)):
            halves.append(
                self.run(
                    {name: values[half] if len(values) == batch else values for name, values in inputs.items()}, names
                )
            )
        return {name: np.concatenate([half[name] for half in halves]) for name in names}


def graph_path(name_or_path: str | Path) -> Path:
    """Where a graph lies: one that ships, by its name in `EMBEDDED_NAMES`, or the file itself."""
    name = EARLIER_NAMES.get(str(name_or_path), str(name_or_path))
    if name in EMBEDDED_NAMES:
        return Path(str(files("facechange") / "weights" / f"{name}.onnx"))
    return Path(name_or_path)


def load_graph(
    name_or_path: str | Path, threads: int | None = None, engine: str = "auto", many_runs: bool = False
) -> Graph:
    """Load a graph that ships by its name, or any `.onnx` file with its card (`.json`) beside it.

    `threads` defaults to the processors this process may use; `engine` is one of `engines.ENGINES`, of which `auto`
    takes one that is ready soon or, for `many_runs`, one that runs fast. Raises `ModelError` where the file or its card
    is missing, where its SHA-256 is not the card's, where the engine cannot load it or is not to be had on this
    machine; `DependencyError` where the engine's package is not installed.
    """
    check_engine(engine)
    path = graph_path(name_or_path)
    if not path.is_file():
        raise ModelError(
            f"There is no model at {path}.",
            "Give the path of an exported .onnx file, or a name that facechange models list shows.",
        )
    card = load_card(path.with_suffix(".json"))
    if hash_file(path) != card.sha256:
        raise ModelError(
            f"{path.name} is not the file its card describes.",
            "It is damaged or was replaced: install or export it again.",
        )
    model = Model(
        path.read_bytes(), path, card.sha256, card.size_px, card.bfloat16, threads or usable_processors(), many_runs
    )
    return Graph(model, card, engine)
