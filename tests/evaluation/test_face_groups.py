"""Groups: by labels, and by what the picture shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.evaluation import AlignedFaces, LabelledFaces
from facechange.evaluation.aligned_faces import AlignedFace
from facechange.evaluation.change_report import measure_masks
from facechange.evaluation.face_groups import members_by_group, typology_angle, yaw_degrees
from facechange.evaluation.report import Group
from facechange.evaluation.report_tables import group_rows, worst_row
from facechange.faces.geometry import hull_mask
from facechange.faces.mean_face68 import read_mean_face
from facechange.metrics.intervals import Interval
from facechange.metrics.masks import MASKS


def face_of(colour: tuple[int, int, int], landmarks68: np.ndarray) -> AlignedFace:
    crop = np.full((96, 96, 3), colour, np.uint8)
    return AlignedFace(crop, crop, landmarks68[:5], landmarks68, np.zeros(512))


def test_typology_angle_is_its_formula_and_orders_skins(face68: np.ndarray) -> None:
    light, dark = face_of((240, 215, 200), face68), face_of((90, 60, 45), face68)
    lightness, _, yellow = cv2.cvtColor(light.crop[:1, :1].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    assert typology_angle(light) == pytest.approx(np.degrees(np.arctan((lightness - 50) / yellow)), abs=0.1)
    assert typology_angle(light) > 41 > -30 > typology_angle(dark)


def test_a_head_turned_by_twenty_degrees_is_measured_so() -> None:
    turn = cv2.Rodrigues(np.array([0, np.radians(20), 0]))[0]
    seen = (read_mean_face()[0] @ turn.T)[:, :2] * 36 + (47.5, 36)
    assert abs(yaw_degrees(face_of((0, 0, 0), seen))) == pytest.approx(20, abs=2)


def test_faces_belong_to_the_groups_of_their_labels_and_pictures(faces_folder: Path) -> None:
    pictures = LabelledFaces(faces_folder)
    pictures.faces[0] = replace(pictures.faces[0], sex="female", age=35.0, group="mine")
    pictures.faces[1] = replace(pictures.faces[1], sex="male", age=80.0)
    members = members_by_group(pictures.faces, AlignedFaces(pictures, lambda crop: np.zeros(512), 64))
    assert list(members)[:3] == ["mine", "female", "male"]
    one, other = np.eye(6, dtype=bool)[:2]
    assert (members["female"] == one).all() and (members["35 to 59 years"] == one).all()
    assert (members["male"] == other).all() and (members["60 years and over"] == other).all()
    skins = [belongs for name, belongs in members.items() if name.endswith("skin")]
    assert len(skins) > 1 and (sum(skins, np.zeros(6)) == 1).all()  # each face has one
    assert members["face under 200 px wide"].all()


def test_the_worst_is_one_of_the_larger_groups() -> None:
    def group(count: int, retrieval: float, pose: float) -> Group:
        values = {"retrieval_top1_all_faces_dlib": retrieval, "pose_error_pnp68_dlib": pose, "ssim_self_crop": 1.0}
        return Group(count, {name: Interval(value, value, value, "") for name, value in values.items()})

    groups = {"old": group(30, 60, 2), "young": group(40, 80, 3), "few": group(9, 0, 9)}
    headings, rows = group_rows(groups)
    assert headings == ["", "count", "retrieval_top1_all_faces_dlib ↑", "pose_error_pnp68_dlib ↓"]
    assert rows[2] == ["few", "9", "0.000 (0.000 to 0.000)", "9.000 (9.000 to 9.000)"]
    assert worst_row(groups)[2:] == ["60.0: old", "3.000: young"]


def test_selectivity_of_known_masks(face68: np.ndarray) -> None:
    keeps_outside = 1 - hull_mask(face68, 96).astype(np.float32)
    assert [metric(keeps_outside, face68, 96) for metric in MASKS[:3]] == pytest.approx([1, 0, 1])
    coarse = cv2.resize(keeps_outside, (8, 8), interpolation=cv2.INTER_AREA)
    outside, inside, selectivity, deviation = (metric(coarse, face68, 96) for metric in MASKS)
    assert outside > 0.85 > 0.4 > inside and selectivity == outside - inside and deviation > 0.2
    flat = np.full((4, 4), 0.7, np.float32)
    assert [metric(flat, face68, 96) for metric in MASKS] == pytest.approx([0.7, 0.7, 0, 0], abs=1e-6)


def test_masks_are_summed_up_by_resolution(faces_folder: Path) -> None:
    faces = AlignedFaces(LabelledFaces(faces_folder), lambda crop: np.zeros(512), 64)

    def masks(target: np.ndarray, identity: np.ndarray) -> list[np.ndarray]:
        return [np.full((4, 4), 0.2), np.full((4, 4), 0.4), np.full((8, 8), 0.9)]

    measured = measure_masks(masks, faces, np.array([[0, 1], [1, 2]]), 0)
    assert list(measured) == ["4²", "8²"]
    assert measured["4²"]["outside_hull68"].mean == pytest.approx(0.3) and measured["8²"][
        "inside_hull68"
    ].mean == pytest.approx(0.9)
    assert measured["8²"]["selectivity_hull68"].mean == pytest.approx(0)
