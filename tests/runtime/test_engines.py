"""Engines agree with each other, a baked graph with the general one, and what is not there is said."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
from PIL import Image

from facechange.core import DependencyError, ModelError, load_card
from facechange.runtime import Graph, graph_path, load_graph, to_tensor
from facechange.runtime import engines as engines_module
from facechange.runtime.engines import preferred_engines

RANDOM = np.random.default_rng(0)
SHIPPED_PX = load_card(graph_path("facechange-256").with_suffix(".json")).size_px


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no test meets another's cache."""
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def inputs(pictures: int = 1, side: int = SHIPPED_PX) -> dict[str, np.ndarray]:
    """Random targets and identities."""
    identity = RANDOM.normal(size=(pictures, 512)).astype(np.float32)
    target = RANDOM.uniform(-1, 1, (pictures, 3, side, side)).astype(np.float32)
    return {"target": target, "identity": identity / np.linalg.norm(identity, axis=1, keepdims=True)}


def largest_difference(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> float:
    assert first.keys() == second.keys()
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)


def psnr(first: np.ndarray, second: np.ndarray, peak: float) -> float:
    return float(10 * np.log10(peak**2 / np.square(first - second).mean()))


@pytest.fixture(scope="module")
def general() -> Graph:
    return load_graph("facechange-256", 1, "cpu")


def test_openvino_gives_the_same_numbers_again_and_again(general: Graph) -> None:
    pytest.importorskip("openvino")
    graph = load_graph("facechange-256", 1, "openvino-fp32")
    assert graph.engine == "OpenVINO CPU fp32"
    for pictures in (1, 1, 3):  # what a run leaves behind must not reach the next
        given = inputs(pictures)
        assert largest_difference(graph.run(given), general.run(given)) < 1e-4


def test_low_precision_only_where_the_card_allows_it_and_never_where_it_shows(general: Graph, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    shipped, identity = graph_path("facechange-256"), np.random.default_rng(0).normal(size=(1, 512)).astype(np.float32)
    portrait = Image.open(Path(__file__).parents[2] / "examples" / "target.jpg").resize((SHIPPED_PX, SHIPPED_PX))
    given = {"target": to_tensor(np.asarray(portrait)), "identity": identity / np.linalg.norm(identity)}
    expected = general.run(given)["changed"]
    for allowed, least_db in ((True, 57), (False, 100)):  # with 256² alone in float32 it is 54, with nothing 49
        path = Path(copy(shipped, tmp_path))
        replace(load_card(shipped.with_suffix(".json")), bfloat16=allowed).save(path.with_suffix(".json"))
        graph = load_graph(path, 1, "openvino").bake({"identity": given["identity"]})
        assert allowed or graph.engine == "OpenVINO CPU fp32"
        assert (
            psnr(graph.run({"target": given["target"]})["changed"].clip(-1, 1), expected.clip(-1, 1), peak=2) > least_db
        )


@pytest.mark.parametrize("engine", ["cpu", "openvino-fp32"])
def test_baked_equals_general(general: Graph, engine: str, home: Path) -> None:
    if engine != "cpu":
        pytest.importorskip("openvino")
    given = inputs(2)
    given["identity"][1] = given["identity"][0]
    baked = load_graph("facechange-256", 1, engine).bake({"identity": given["identity"][:1]})
    files = set(home.rglob("*"))
    assert baked.input_names == ["target"]
    assert baked.output_names == general.output_names
    assert largest_difference(baked.run({"target": given["target"]}), general.run(given)) < 1e-4
    assert set(home.rglob("*")) == files, "an identity must not reach the disk"


def test_baking_any_input_of_any_graph(change_path: Path) -> None:
    graph = load_graph(change_path, 1, "cpu")
    given = inputs(1, 64)
    by_target = graph.bake({"target": given["target"]})
    assert by_target.input_names == ["identity"]
    assert largest_difference(by_target.run({"identity": given["identity"]}), graph.run(given)) < 1e-5
    with pytest.raises(ModelError, match="no input"):
        graph.bake({"face": given["target"]})
    with pytest.raises(ModelError, match="do not fit"):
        graph.bake({"identity": np.zeros((1, 7), np.float32)})


@pytest.mark.parametrize("content", [b"not a model", None])
def test_a_corrupt_cache_is_made_again(home: Path, content: bytes | None) -> None:
    pytest.importorskip("openvino")
    given = {"crop": RANDOM.uniform(-1, 1, (1, 3, 112, 112)).astype(np.float32)}
    expected = load_graph("identity", 1, "openvino-fp32").run(given)
    cached = list(home.rglob("*.blob"))
    assert cached
    for path in cached:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    assert largest_difference(load_graph("identity", 1, "openvino-fp32").run(given), expected) < 1e-5


def test_a_cache_that_cannot_be_written_does_no_harm(home: Path) -> None:
    pytest.importorskip("openvino")
    home.write_text("in the way")
    assert load_graph("identity", 1, "openvino-fp32").run({"crop": np.zeros((1, 3, 112, 112), np.float32)})


def test_auto_takes_openvino_for_many_or_large_runs(change_path: Path) -> None:
    pytest.importorskip("openvino")
    general = load_graph(change_path, 1)
    assert general.engine == "ONNX Runtime CPU"
    assert general.bake({"identity": np.ones((1, 512), np.float32)}).engine.startswith("OpenVINO CPU")
    large = replace(general._model, size_px=1024)
    assert list(preferred_engines(large)) == ["openvino-fp32"]
    assert list(preferred_engines(replace(large, many_runs=True))) == ["openvino"]


def test_auto_passes_over_an_accelerator_without_its_driver(change_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    graph = load_graph(change_path, 1)
    assert graph.engine == "ONNX Runtime CPU" and "not cuda: This machine cannot use cuda" in graph.engine_reason
    assert load_graph(change_path, 1, "cpu").engine_reason == "as it was asked for"
    with pytest.raises(ModelError, match="cuda"):
        load_graph(change_path, 1, "cuda")


def test_engines_that_are_not_there(change_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no engine 'gpu'"):
        load_graph(change_path, 1, "gpu")
    with pytest.raises(ModelError, match="no coreml"):
        load_graph(change_path, 1, "coreml")
    with pytest.raises(ModelError, match="no PyTorch program"):
        load_graph(change_path, 1, "pytorch")
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(engines_module, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="OpenVINO is not installed"):
        load_graph(change_path, 1, "openvino")
    assert preferred_engines(load_graph(change_path, 1)._model) == {
        "cpu": "OpenVINO, which is faster, is not installed: pip install 'facechange[fast]'"
    }


def test_wrong_shape_and_broken_files_on_openvino(change_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(ModelError, match="did not run"):
        load_graph(change_path, 1, "openvino-fp32").run(inputs(1, 32))
    path = Path(copy(change_path, tmp_path))
    card = Path(copy(change_path.with_suffix(".json"), tmp_path))
    path.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    text = card.read_text()
    card.write_text(text.replace(text.split('"sha256": "')[1][:64], empty))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_graph(path, 1, "openvino-fp32")


class Cramped:
    """An engine with memory for `most` pictures at a time."""

    def __init__(self, engine: engines_module.Engine, most: int) -> None:
        self.engine, self.most = engine, most
        self.batches: list[int] = []

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        if len(inputs["target"]) > self.most:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 12884901888")
        self.batches.append(len(inputs["target"]))
        return self.engine.run(inputs, outputs)


def test_short_memory_halves_the_batch_and_then_says_so(change_path: Path) -> None:
    graph = load_graph(change_path, 1, "cpu")
    given = inputs(5, 64)
    expected = graph.run(given, ["changed"])
    cramped = graph._engine = Cramped(graph._engine, 2)  # type: ignore[assignment]
    assert largest_difference(graph.run(given, ["changed"]), expected) < 1e-6
    assert cramped.batches == [2, 1, 2]
    cramped.most = 0
    with pytest.raises(MemoryError):
        graph.run(given)
