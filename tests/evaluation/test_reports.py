"""Whole measurements with stand-ins whose result is known before."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from facechange.core import ModelCard, ModelError, OutputError, PictureError, load_card
from facechange.evaluation import (
    AlignedFaces,
    Case,
    LabelledFaces,
    Landmarker,
    OnnxEvaluator,
    check_outputs,
    evaluate_change,
    evaluate_identity,
)
from facechange.evaluation.report import store_in_card
from facechange.metrics.fidelity import CEILING_DB


def identify(crop: np.ndarray) -> np.ndarray:
    """The colour in the middle of the face."""
    vector = np.zeros(512)
    vector[:3] = crop[40:60, 50:62].mean((0, 1)) - 128
    return vector / np.linalg.norm(vector)


def test_a_model_that_changes_nothing_keeps_all_and_moves_no_identity(
    faces_folder: Path, evaluator: OnnxEvaluator
) -> None:
    faces = LabelledFaces(faces_folder)
    report = evaluate_change(lambda target, identity: target, identify, 64, faces, [evaluator], pairs=12)
    assert report.metrics["recognised_as_source_pairs_mosaic"].mean == 0
    assert report.metrics["retrieval_top1_all_faces_mosaic"].mean == 0
    assert report.metrics["cosine_to_target_pairs_mosaic"].mean > 0.95
    assert report.metrics["psnr_self_crop"].mean == report.metrics["psnr_outside_hull68"].mean == CEILING_DB


def test_a_perfect_change_is_recognised_and_touches_the_hull_only(faces_folder: Path, evaluator: OnnxEvaluator) -> None:
    faces = LabelledFaces(faces_folder)
    aligned = [AlignedFaces(faces, identify, 64)[index] for index in range(len(faces))]
    crops, identities = [face.crop for face in aligned], np.stack([face.identity for face in aligned])

    def change(target: np.ndarray, identity: np.ndarray) -> np.ndarray:
        # all faces share one shape: the source's crop is the result
        return crops[int(np.argmax(identities @ identity))]

    seen: list[tuple[int, int]] = []
    shown: list[Case] = []
    report = evaluate_change(
        change,
        identify,
        64,
        faces,
        [evaluator],
        pairs=30,
        progress=lambda done, total: seen.append((done, total)),
        keep=shown.append,
    )
    assert report.metrics["recognised_as_source_pairs_mosaic"].mean == 100
    assert report.metrics["retrieval_top1_all_faces_mosaic"].mean == 100
    assert report.metrics["psnr_self_crop"].mean == CEILING_DB
    assert report.metrics["psnr_outside_hull68"].mean > 25  # only the rim of the oval, blurred by the crop
    assert seen[-1] == (42, 42)
    assert [case.number for case in shown] == list(range(30))
    assert all((case.source.crop == case.changed).all() and case.cosine > 0.9 for case in shown)


def test_references_are_measured_on_the_same_pairs_and_groups_by_their_targets(
    faces_folder: Path, evaluator: OnnxEvaluator
) -> None:
    faces = LabelledFaces(faces_folder)
    lines = [json.loads(line) for line in (faces_folder / "val.jsonl").read_text().splitlines()]
    assert {face.group for face in faces.faces} == {None}
    grouped = [json.dumps(line | {"group": "ab"[number % 2]}) for number, line in enumerate(lines)]
    (faces_folder / "val.jsonl").write_text("\n".join(grouped))
    grouped_faces = LabelledFaces(faces_folder)
    assert [face.group for face in grouped_faces.faces] == list("ababab")

    def degrade_reddest(target: np.ndarray, identity: np.ndarray) -> np.ndarray:
        return target if target[36, 32, 0] < 130 else np.zeros_like(target)

    references = {"target unchanged": lambda source, target: target.crop}
    report = evaluate_change(degrade_reddest, identify, 64, grouped_faces, [evaluator], 30, references=references)
    same = evaluate_change(lambda target, identity: target, identify, 64, faces, [evaluator], 30)
    assert report.references["target unchanged"] == same.metrics and set(report.groups) - set(same.groups) == {"a", "b"}
    assert report.metrics["psnr_self_crop"].mean < CEILING_DB
    red = [AlignedFaces(faces, identify, 64)[index].crop[36, 32, 0] >= 130 for index in range(6)]
    for group, members in (("a", red[::2]), ("b", red[1::2])):
        kept = 1 - np.mean(members)
        assert (report.groups[group].metrics["psnr_self_crop"].mean == CEILING_DB) == (kept == 1)
    means = [report.groups[group].metrics["psnr_outside_hull68"].mean for group in "ab"]
    assert np.mean(means) == pytest.approx(report.metrics["psnr_outside_hull68"].mean)  # fifteen pairs each


def test_pose_and_expression_come_from_the_landmarker(
    faces_folder: Path, evaluator: OnnxEvaluator, landmarker: Landmarker
) -> None:
    faces = LabelledFaces(faces_folder)

    def brighten(target: np.ndarray, identity: np.ndarray) -> np.ndarray:
        return np.clip(target.astype(int) + 40, 0, 255).astype(np.uint8)

    report = evaluate_change(brighten, identify, 64, faces, [evaluator], 12, landmarkers=[landmarker])
    # the toy landmarker opens the mouth of a brighter picture
    assert report.metrics["pose_error_pnp68_toy"].mean < 0.01
    assert report.metrics["expression_error_openings68_toy"].mean > 0.3
    assert report.metrics["skin_brightness_difference68"].mean > 30
    assert report.protocol["landmarkers"] == "toy"


def test_more_pairs_than_there_are_is_said(faces_folder: Path, evaluator: OnnxEvaluator) -> None:
    with pytest.raises(PictureError, match="6 faces do not give 31 pairs"):
        evaluate_change(
            lambda target, identity: target, identify, 64, LabelledFaces(faces_folder), [evaluator], pairs=31
        )


def test_the_recognizer_agrees_with_itself(faces_folder: Path, evaluator: OnnxEvaluator) -> None:
    report = evaluate_identity(lambda crop: evaluator.recognise(crop[None])[0], LabelledFaces(faces_folder), evaluator)
    assert report.metrics["spearman_cosines_all_pairs"].mean == pytest.approx(1)
    assert report.protocol["pairs"] == 15


def test_reports_are_saved_as_json(faces_folder: Path, evaluator: OnnxEvaluator, tmp_path: Path) -> None:
    report = evaluate_identity(identify, LabelledFaces(faces_folder), evaluator, seed=5)
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["protocol"] == {"faces": 6, "pairs": 15, "recognizer": "mosaic", "seed": 5}
    assert set(saved["metrics"]["spearman_cosines_all_pairs"]) == {"mean", "low", "high", "unit"}
    card = tmp_path / "card.json"
    texts = {part.name: "toy" for part in fields(ModelCard) if part.type == "str"}
    details = texts | {"size_px": 0, "parameters": 0, "inputs": {}, "outputs": {}, "metrics": {"old": 1}}
    ModelCard(**details).save(card)
    store_in_card(card, {"hard": report, "easy": report})
    stored = load_card(card)
    assert stored.metrics == {"hard": saved["metrics"], "easy": saved["metrics"]} and stored.summary == "toy"
    store_in_card(card, {"hard": report}, flat=True)
    assert load_card(card).metrics == saved["metrics"] | {"hard": saved["metrics"]}
    with pytest.raises(OutputError):
        check_outputs(tmp_path / "missing" / "report.json")


def test_recognizer_normalises_and_batches(evaluator: OnnxEvaluator) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (33, 112, 112, 3)).astype(np.uint8)
    vectors = evaluator.recognise(crops)
    assert vectors.shape == (33, 48)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(33))
    pooled = (crops[32].reshape(4, 28, 4, 28, 3).mean((1, 3)) - 127.5).transpose(2, 0, 1).ravel()
    assert vectors[32] == pytest.approx(pooled / np.linalg.norm(pooled), abs=1e-4)


def test_recognizer_says_what_is_wrong(tmp_path: Path, faces_folder: Path) -> None:
    with pytest.raises(ModelError, match="missing"):
        OnnxEvaluator(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(ModelError, match="ONNX Runtime"):
        OnnxEvaluator(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match="'huge'"):
        OnnxEvaluator(tmp_path / "text.onnx", "huge")


def test_faces_are_read_and_cropped_by_their_landmarks(faces_folder: Path) -> None:
    faces = LabelledFaces(faces_folder)
    assert len(faces) == 6
    assert faces.read(2).shape == (96, 96, 3)
    colours = {tuple(faces.identity_crop(index)[58, 56]) for index in range(6)}
    assert len(colours) == 6  # the right picture for each row
    face = AlignedFaces(faces, identify, 64)[0]
    x, y = np.round(face.landmarks5[0]).astype(int)
    assert face.crop[y, x].max() < 60  # the dark dot of the eye
    assert face.landmarks68.shape == (68, 2)


def test_broken_folders_are_said(faces_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"train\.jsonl is missing"):
        LabelledFaces(faces_folder, "train")
    labels = faces_folder / "val.jsonl"
    lines = labels.read_text().splitlines()
    labels.write_text("")
    with pytest.raises(PictureError, match="lists no faces"):
        LabelledFaces(faces_folder)
    labels.write_text("\n".join(lines).replace("val-4.png", "val-9.png"))
    with pytest.raises(PictureError, match=r"val-9\.png is not in"):
        LabelledFaces(faces_folder).read(4)
    labels.write_text('{"image": 3')
    with pytest.raises(PictureError, match="does not list labelled faces"):
        LabelledFaces(faces_folder)
    labels.write_text("\n".join(lines))
    next(faces_folder.glob("*.tar")).write_bytes(b"no tar")
    with pytest.raises(PictureError, match="cannot be read"):
        LabelledFaces(faces_folder)
