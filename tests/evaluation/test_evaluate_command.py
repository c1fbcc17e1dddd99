"""`facechange evaluate` end to end with graphs whose answer is known: one that returns the target, one that pools
colours."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from facechange.cli.evaluate import app
from facechange.consent import load_context
from facechange.consent.status import look_up
from facechange.core import (
    ConsentError,
    DependencyError,
    Face,
    ModelCard,
    ModelError,
    OutputError,
    PictureError,
    hash_file,
    load_card,
)
from facechange.evaluation import Report, inception_fid
from facechange.metrics.intervals import Interval
from facechange.provenance.verify import examine
from facechange.runtime import graph_path, load_graph

SIZE_PX = 64


def save_graph(path: Path, role: str, nodes: list, inputs: dict, outputs: dict, constants: dict) -> Path:
    """Write a graph of named [shape]s and its card."""

    def describe(shapes: dict) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, role, describe(inputs), describe(outputs), values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    texts = dict.fromkeys(("summary", "licence", "normalisation", "template", "data", "training", "limits"), "test")
    size_px = SIZE_PX if role == "change" else 112
    card = ModelCard(
        f"test-{role}", role, "0", sha256=hash_file(path), size_px=size_px, parameters=0, inputs={}, outputs={}, **texts
    )
    card.save(path.with_suffix(".json"))
    return path


class ToyDetector:
    """Finds nothing."""

    name = "toy"

    def __init__(self, path: Path) -> None:
        assert path.is_file()

    def detect(self, picture: np.ndarray) -> list[Face]:
        return []


@pytest.fixture
def graphs(tmp_path: Path) -> dict[str, Path]:
    same = [
        helper.make_node("ReduceMax", ["target"], ["brightest"], axes=[1, 2, 3]),
        # [1, 1, 1, 1], so that the mask is 1 wherever one looks
        helper.make_node("Sub", ["brightest", "sure"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["mask_1_1"]),
        helper.make_node("Mul", ["target", "mask_1_1"], ["changed"]),
    ]
    square, mask = [1, 3, SIZE_PX, SIZE_PX], {"mask_1_1": [1, 1, 1, 1]}
    inputs, sure = {"target": square, "identity": [1, 512]}, {"sure": np.float32([-100])}
    change = save_graph(tmp_path / "same.onnx", "change", same, inputs, {"changed": square} | mask, sure)
    pooled = [
        helper.make_node("AveragePool", ["crop"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Reshape", ["pooled", "shape"], ["mosaic"]),
        helper.make_node("MatMul", ["mosaic", "widen"], ["wide"]),
        helper.make_node("LpNormalization", ["wide"], ["identity"], axis=1, p=2),
    ]
    constants = {"shape": np.array([-1, 48], np.int64), "widen": np.eye(48, 512, dtype=np.float32)}
    crop, identity = {"crop": ["n", 3, 112, 112]}, {"identity": ["n", 512]}
    return {
        "change": change,
        "identity": save_graph(tmp_path / "colours.onnx", "identity", pooled, crop, identity, constants),
    }


def test_change_prints_saves_and_draws(graphs: dict[str, Path], faces_folder: Path, tmp_path: Path) -> None:
    report, sheet, table = tmp_path / "report.json", tmp_path / "sheet.png", tmp_path / "table.md"
    cases, masks = tmp_path / "cases.jpg", tmp_path / "masks.jpg"
    arguments = ["--model", graphs["change"], "--identity", graphs["identity"], "--evaluator", graphs["identity"]]
    options = ["--faces", faces_folder, "--pairs", 8, "--grid", sheet, "--grid-pairs", 3, "--json", report]
    options += ["--markdown", table, "--cases", cases, "--masks", masks]
    result = CliRunner().invoke(app, ["change", *map(str, arguments + options)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "test-change 0" in result.stdout
    saved = json.loads(report.read_text())
    assert saved["protocol"]["engine"] == "ONNX Runtime CPU"  # float32, whatever the size
    metrics = saved["metrics"]
    assert metrics["recognised_as_source_pairs_colours"]["mean"] == 0
    assert metrics["psnr_self_crop"]["mean"] == 100  # [-1, 1] and back loses nothing
    references = saved["references"]
    assert list(references) == ["target unchanged", "source pasted", "masks 0", "masks 1"]
    assert references["masks 1"] == references["target unchanged"] == metrics
    assert references["masks 0"]["psnr_self_crop"]["mean"] < 25  # a grey square
    assert references["source pasted"]["psnr_occluder"]["mean"] < metrics["psnr_occluder"]["mean"]
    assert "| psnr_self_crop ↑ | dB | 100.0 | 100.0 to 100.0 | 100.0 |" in table.read_text()
    assert cv2.imread(str(cases)).shape[1] == 2 * 776 - 8
    assert list(saved["masks"]) == ["1²"] and saved["masks"]["1²"]["deviation"]["mean"] == 0
    assert cv2.imread(str(masks)) is not None
    drawn = cv2.imread(str(sheet))
    assert drawn.shape == (28 + 2 * 264 - 8, 2 * 1032 - 8, 3)
    apart = np.abs(drawn[28:284, 256:512].astype(int) - drawn[28:284, 768:1024])  # target and result
    assert 0 < apart.max() <= 8  # its watermark
    assert (drawn[28:284, 256:512] != drawn[28:284, 512:768]).any()  # target and paste
    assert (drawn[28:284, :256] != drawn[28:284, 256:512]).any()  # source and target


def evaluate_sheets(graphs: dict[str, Path], faces: Path, folder: Path, *more: str) -> list[Path]:
    sheets = [folder / name for name in ("grid.png", "cases.jpg", "masks.webp")]
    arguments = [
        "--model",
        graphs["change"],
        "--identity",
        graphs["identity"],
        "--evaluator",
        graphs["identity"],
        "--faces",
        faces,
    ]
    options = [
        "--pairs",
        4,
        "--no-references",
        "--grid",
        sheets[0],
        "--grid-pairs",
        2,
        "--cases",
        sheets[1],
        "--masks",
        sheets[2],
    ]
    CliRunner().invoke(app, ["change", *map(str, arguments + options), *more], catch_exceptions=False)
    return sheets


def test_sheets_of_a_labelled_set_leave_marked_signed_and_on_record(
    graphs: dict[str, Path], faces_folder: Path, tmp_path: Path
) -> None:
    for sheet in evaluate_sheets(graphs, faces_folder, tmp_path):
        signed = examine(load_context(), sheet).signed
        assert signed is not None and signed.signed_here and signed.watermark and signed.model["name"] == "test-change"
        assert signed.consent["basis"] == "evaluation"
        status = look_up(load_context().ledger, signed.consent["id"])
        assert status is not None and status.record.targets == (hash_file(faces_folder / "val.jsonl"),)


def test_no_sheet_leaves_but_through_publish(
    graphs: dict[str, Path], faces_folder: Path, tmp_path: Path, shut_exit: Callable[[Path], list[str]]
) -> None:
    sheets = evaluate_sheets(graphs, faces_folder, tmp_path, "--consent", "They all agreed.")
    assert not any(sheet.exists() for sheet in sheets) and shut_exit(tmp_path) == []


def test_faces_of_plain_pictures_are_shown_changed_with_consent_only(
    graphs: dict[str, Path], tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    (tmp_path / "people").mkdir()
    cv2.imwrite(str(tmp_path / "people" / "ann.png"), faces_picture({(200, 150): (230, 110, 60)}))
    with pytest.raises(ConsentError, match="agreed"):
        evaluate_sheets(graphs, tmp_path / "people", tmp_path)


def test_anonymize_gives_personas_and_keeps_what_the_model_keeps(
    graphs: dict[str, Path], faces_folder: Path, landmarks_path: Path, tmp_path: Path
) -> None:
    report, table = tmp_path / "report.json", tmp_path / "table.md"
    arguments = ["--model", graphs["change"], "--identity", graphs["identity"], "--evaluator", graphs["identity"]]
    arguments += ["--faces", faces_folder, "--landmarks", landmarks_path, "--json", report, "--markdown", table]
    result = CliRunner().invoke(app, ["anonymize", *map(str, arguments)], catch_exceptions=False)
    assert "test-change 0" in result.stdout
    saved = json.loads(report.read_text())
    assert saved["metrics"]["reidentified_top1_all_faces_colours"]["mean"] == 100  # this model changes nothing
    assert saved["metrics"] == saved["references"]["faces unchanged"]
    assert "detected_scout" in saved["metrics"]
    assert 1 <= saved["protocol"]["personas"] <= 6
    assert "| reidentified_top1_all_faces_colours ↓ | % | 100.0 |" in table.read_text()
    with pytest.raises(ModelError, match="no engine 'gpu'"):
        CliRunner().invoke(app, ["anonymize", *map(str, arguments), "--engine", "gpu"], catch_exceptions=False)
    with pytest.raises(ModelError, match="missing"):
        CliRunner().invoke(app, ["anonymize", *map(str, arguments), "--detector", "none.onnx"], catch_exceptions=False)


def test_identity_agrees_with_itself(graphs: dict[str, Path], faces_folder: Path) -> None:
    arguments = [
        "--faces",
        faces_folder,
        "--model",
        graphs["identity"],
        "--recognizer",
        graphs["identity"],
        "--normalisation",
        "symmetric",
    ]
    result = CliRunner().invoke(app, ["identity", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "spearman_cosines_all_pairs" in result.stdout
    assert "1.000" in result.stdout


def test_failures_are_typed(graphs: dict[str, Path], faces_folder: Path, tmp_path: Path) -> None:
    common = ["identity", "--faces", str(faces_folder), "--recognizer", str(graphs["identity"])]
    with pytest.raises(ModelError, match="no model at"):
        CliRunner().invoke(app, [*common, "--model", str(tmp_path / "none.onnx")], catch_exceptions=False)
    with pytest.raises(OutputError):
        CliRunner().invoke(app, [*common, "--json", str(tmp_path / "none" / "report.json")], catch_exceptions=False)
    card = graphs["identity"].with_suffix(".json")
    before = card.read_bytes()
    with pytest.raises(OutputError, match="card of the model"):
        CliRunner().invoke(app, [*common, "--json", str(card)], catch_exceptions=False)
    assert card.read_bytes() == before


def test_a_plain_folder_needs_a_landmarker(graphs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    arguments = [
        "change",
        "--faces",
        tmp_path / "pictures",
        "--model",
        graphs["change"],
        "--identity",
        graphs["identity"],
    ]
    with pytest.raises(PictureError, match="landmarks have to be found"):
        CliRunner().invoke(app, [*map(str, arguments), "--evaluator", str(graphs["identity"])], catch_exceptions=False)


def test_fid_without_its_package_is_said_before_anything_is_measured(
    graphs: dict[str, Path], faces_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    arguments = [
        "change",
        "--faces",
        faces_folder,
        "--model",
        graphs["change"],
        "--identity",
        graphs["identity"],
        "--pairs",
        2,
        "--fid",
    ]
    with pytest.raises(DependencyError, match="torch-fidelity"):
        CliRunner().invoke(app, [*map(str, arguments), "--evaluator", str(graphs["identity"])], catch_exceptions=False)


def test_fid_is_of_changed_and_of_pasted_crops_to_the_sources(
    graphs: dict[str, Path], faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def distance(crops: Path, real: Path, weights: Path | None) -> float:
        """How many of the crops are among the real ones, as far as their pixels tell."""
        seen, wanted = (
            {cv2.imread(str(path)).tobytes() for path in sorted(folder.iterdir())} for folder in (crops, real)
        )
        return float(len(seen & wanted))

    monkeypatch.setattr("facechange.metrics.fidelity.need_fid", lambda: None)
    for name in ("fid_inception_pairs", "fid_inception_pairs_source_pasted"):
        monkeypatch.setattr(inception_fid, name, replace(getattr(inception_fid, name), compute=distance))
    arguments = [
        "change",
        "--faces",
        faces_folder,
        "--model",
        graphs["change"],
        "--identity",
        graphs["identity"],
        "--pairs",
        6,
        "--fid",
    ]
    arguments += ["--no-references", "--evaluator", graphs["identity"], "--json", tmp_path / "report.json"]
    CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    details = json.loads((tmp_path / "report.json").read_text())["details"]
    # The toy returns its target, and every face is a target and a source once; a pasted face is not quite its source.
    assert details["fid_inception_pairs"] == 6 > details["fid_inception_pairs_source_pasted"]


def test_the_report_is_a_page_with_pictures_numbers_and_cards(
    graphs: dict[str, Path], faces_folder: Path, landmarks_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "facechange.evaluation.evaluate_scout",
        lambda *arguments: Report({"faces": 6}, {"recall_iou50": Interval(90, 80, 95, "%")}),
    )
    monkeypatch.setattr("facechange.evaluation.Detector", ToyDetector)
    monkeypatch.setattr("facechange.cli.evaluate_report.SYNTHETIC_FACES", 4)
    backgrounds = tmp_path / "backgrounds.tar"
    with tarfile.open(backgrounds, "w") as archive:
        for number in range(10):
            encoded = cv2.imencode(".png", np.full((40, 40, 3), 20 * number, np.uint8))[1].tobytes()
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(encoded)
            archive.addfile(member, io.BytesIO(encoded))
    docs, hard = tmp_path / "docs", tmp_path / "hard"
    docs.mkdir()
    hard.mkdir()
    for name in ("val.jsonl", "val-96-00.tar"):
        shutil.copy(faces_folder / name, hard)
    scout = tmp_path / "scout.onnx"
    shutil.copy(graph_path("scout"), scout)
    shutil.copy(graph_path("scout").with_suffix(".json"), scout.with_suffix(".json"))
    options = {"backgrounds": backgrounds, "evaluator": graphs["identity"], "recognizer": graphs["identity"]}
    options |= {"landmarks": landmarks_path}
    options |= {"detector": landmarks_path}
    options |= {"identity": graphs["identity"], "scout": scout, "pairs": 3, "output": docs}
    large = graphs["change"].with_name("large.onnx")
    shutil.copy(graphs["change"], large)
    replace(load_card(graphs["change"].with_suffix(".json")), name="test-large").save(large.with_suffix(".json"))
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    arguments += [
        "--model",
        str(graphs["change"]),
        "--model",
        str(large),
        "--set",
        f"easy={faces_folder}",
        "--set",
        f"hard={hard}",
    ]
    CliRunner().invoke(app, ["report", *arguments, "--cards"], catch_exceptions=False)
    page = (docs / "results.md").read_text()
    assert "## Face change: test-change 0" in page and "## Face change: test-large 0" in page
    assert "96.34" in page and "| source pasted | hard |" in page and "| test-large 0 | easy |" in page
    linked = re.findall(r"!\[[^]]*]\(([^)]*)\)", page)
    assert len(set(linked)) == 6
    assert all(cv2.imread(str(docs / path)) is not None for path in linked)
    names = {graphs["change"].stem: graphs["change"], "large": large, "identity": graphs["identity"], "scout": scout}
    for role, path in names.items():
        card = load_card(path.with_suffix(".json")).metrics
        for name in ("easy", "hard"):
            saved = json.loads((docs / "results" / f"{role}-{name}.json").read_text())["metrics"]
            assert card[name] == saved
            assert all(metric in page for metric in saved)
    anonymized = json.loads((docs / "results" / "large-hard-anonymize.json").read_text())
    assert anonymized["protocol"]["set"] == "hard"
    assert anonymized["metrics"]["detected_toy"]["mean"] == 0
    assert load_graph(scout).card.metrics["recall_iou50"]["mean"] == 90  # other parts read it there
    monkeypatch.setattr("facechange.evaluation.evaluate_anonymize", None)  # what lies there is not measured again
    again = CliRunner().invoke(app, ["report", *arguments], catch_exceptions=False)
    assert "large-hard.json: measured before" in again.stderr
    assert (docs / "results.md").read_text() == page


def test_two_models_of_one_name_are_refused(graphs: dict[str, Path], landmarks_path: Path, tmp_path: Path) -> None:
    options = {
        "set": f"toys={tmp_path}",
        "backgrounds": landmarks_path,
        "evaluator": graphs["identity"],
        "recognizer": graphs["identity"],
    }
    options |= {"landmarks": landmarks_path}
    options |= {"detector": landmarks_path, "output": tmp_path}
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    outcome = CliRunner().invoke(
        app, ["report", *arguments, "--model", "one/change.onnx", "--model", "other/change.onnx"]
    )
    assert outcome.exit_code == 2 and "same name" in outcome.stderr
    assert not (tmp_path / "results").exists()


def test_a_set_needs_a_name(tmp_path: Path) -> None:
    texts = {
        "backgrounds": "b",
        "evaluator": "r",
        "recognizer": "t",
        "landmarks": "l",
        "detector": "d",
        "output": tmp_path,
        "set": tmp_path,
    }
    outcome = CliRunner().invoke(
        app, ["report", *(text for name, value in texts.items() for text in (f"--{name}", str(value)))]
    )
    assert outcome.exit_code == 2 and "NAME=FOLDER" in outcome.stderr
