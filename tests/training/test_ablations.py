"""The series of ablations: what each variant changes, and the whole command at toy size."""

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch
from typer.testing import CliRunner

from facechange.cli.train import app
from facechange.core import TrainingError
from facechange.runtime import graph_path, load_graph
from facechange.training.ablations import VARIANTS, train_variant, vary
from facechange.training.config import FaceConfig
from facechange.training.starting import load_face_change_network

# formula 6
PATENT_WEIGHTS = {"gan": 1, "mask": 1, "feature_matching": 1, "reconstruction": 10, "identity": 5, "contrast": 5}


@pytest.fixture
def config(tmp_path: Path) -> FaceConfig:
    return FaceConfig(
        train=tmp_path,
        run=tmp_path / "run",
        identity=tmp_path,
        recognizer=tmp_path,
        preset="tiny",
        size=64,
        pictures=8,
        batch=4,
        device="cpu",
    )


def test_each_variant_takes_one_idea_out_and_keeps_seed_and_pictures(config: FaceConfig) -> None:
    tables = {variant.name: vary(config, variant) for variant in VARIANTS}
    whole = tables["whole"]
    assert len({table.run for table in tables.values()}) == len(tables) == 7
    assert {(table.seed, table.pictures, table.batch) for table in tables.values()} == {(0, 8, 4)}
    assert [tables["no-mask-loss"].weights["mask"], tables["no-feature-matching"].weights["feature_matching"]] == [0, 0]
    assert whole.learn_masks and not tables["no-masks"].learn_masks
    assert whole.weights["contrast"] and not tables["no-contrast"].weights["contrast"]
    assert (whole.recognizers, tables["one-recognizer"].recognizers) == (("identity", "recognizer"), ("recognizer",))
    patent = tables["patent"]
    assert (patent.recipe, patent.learning_rate, whole.recipe) == ("patent", 1e-4, None)
    assert {name: weight for name, weight in patent.weights.items() if weight} == PATENT_WEIGHTS


def test_unequal_lengths_are_refused(config: FaceConfig) -> None:
    with pytest.raises(TrainingError, match="equally many pictures"):
        train_variant(replace(config, minutes=3), VARIANTS[0], print)


@pytest.mark.slow
def test_the_command_trains_measures_and_goes_on(
    shards: Path, labelled_faces: Path, recognizer_path: Path, tmp_path: Path
) -> None:
    run, evaluator = tmp_path / "run", graph_path("identity")
    arguments = [
        "ablations",
        "--train",
        shards,
        "--recognizer",
        recognizer_path,
        "--faces",
        labelled_faces,
        "--evaluator",
        evaluator,
    ]
    arguments += [
        "-o",
        run,
        "--pairs",
        6,
        "--preset",
        "tiny",
        "--size",
        64,
        "--pictures",
        8,
        "--batch",
        4,
        "--device",
        "cpu",
    ]
    arguments += ["--weight", "identity=7"]
    for _ in range(2):  # the second time everything is trained already
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
    report = json.loads((run / "ablations.json").read_text())
    assert list(report["variants"]) == [variant.name for variant in VARIANTS]
    assert {row["pictures"] for row in report["variants"].values()} == {8}
    table = (run / "ablations.md").read_text()
    assert report["protocol"]["weights"] == "identity 7" and "weights identity 7, seed 0" in table
    assert "| without L_FM |" in table and re.search(r"psnr_self_crop[^|]*dB", table)
    assert cv2.imread(str(run / "ablations.jpg")).shape == (8 * 64, 9 * 64, 3)  # eight pairs of made faces
    assert load_graph(run / "no-masks" / "change.onnx").card.size_px == 64
    swapper = load_face_change_network(run / "no-masks" / "face.safetensors")
    with torch.no_grad():
        masks = swapper(torch.rand(1, 3, 64, 64), torch.rand(1, 512), with_masks=True)[1]
    assert all((mask == 0.5).all() for mask in masks)
