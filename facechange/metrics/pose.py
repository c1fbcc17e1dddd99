"""How a head is turned: by 68 landmarks and a mean face in 3-D, or by a dense mesh."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facechange.faces.mean_face68 import RIGID_POINTS, read_mean_face
from facechange.metrics.metric import LANDMARKER, LOWER, metric

FOCAL_CROPS = 5.0  # focal length in sides of the change crop: a portrait from about 1.2 m


@dataclass(frozen=True)
class Pose68:
    """How a head is turned, and what its face would look like from the front."""

    rotation: np.ndarray  # [3, 3], mean face to camera (x right, y down, z away)
    frontal: np.ndarray  # [68, 2] in units of the outer eye corners' distance, y down, the eyes' middle at 0


def fit_pose(landmarks68: np.ndarray, size_px: int) -> Pose68:
    """Pose of a face with `landmarks68` [68, 2] in pixels of its change crop of side `size_px`.

    The rotation is the one whose perspective picture of the mean face's rigid points fits best (PnP). What the
    landmarks differ from that picture, turned back upright, is then laid on the mean face as seen from the front.
    """
    face, _ = read_mean_face()
    focal, middle = FOCAL_CROPS * size_px, (size_px - 1) / 2
    camera = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]])
    landmarks68 = np.asarray(landmarks68, np.float64)
    eyes_px = max(float(np.linalg.norm(landmarks68[45] - landmarks68[36])), 1.0)
    # a guess to start from: upright, before the camera, of the right size
    place = np.array([[0.0], [0.0], [focal / eyes_px]])
    _, turn, place = cv2.solvePnP(
        face[RIGID_POINTS],
        landmarks68[RIGID_POINTS],
        camera,
        None,
        np.zeros((3, 1)),
        place,
        True,
        cv2.SOLVEPNP_ITERATIVE,
    )
    rotation = cv2.Rodrigues(turn)[0]
    seen = cv2.projectPoints(face, turn, place, camera, None)[0][:, 0]  # [68, 2]
    scale = focal / float(place[2, 0])  # pixels an outer eye distance
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    upright = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    return Pose68(rotation, face[:, :2] + (landmarks68 - seen) @ upright.T / scale)


@metric(
    "degrees",
    LOWER,
    "pairs; the turn between the heads of target and result, by PnP of 13 rigid landmarks on a mean face in 3-D, which 2-D "
    "landmarks of the training faces gave",
    LANDMARKER,
)
def pose_error_pnp68(changed: Pose68, target: Pose68) -> float:
    """Pose error (Table 1 of the patent): the angle between two heads, 0..180; for small ones the length of (yaw,
    pitch, roll)."""
    return _turn_degrees(changed.rotation @ target.rotation.T)


@dataclass(frozen=True)
class Mesh:
    """The dense mesh of one face in pixels of its picture."""

    points: np.ndarray  # [468, 3]: x, y and, growing away from the viewer, z
    # [2, 2]: where each iris lies from the middle between the corners of its eye, along and across, in eye widths
    irises: np.ndarray


@metric(
    "degrees", LOWER, "pairs; the rotation between MediaPipe's dense meshes (468 points in 3-D) of target and result"
)
def pose_error_mesh468(changed: Mesh, target: Mesh) -> float:
    """The angle, 0..180, of the rotation of the similarity that takes the target's mesh to the changed face's (Umeyama
    1991)."""
    ours, theirs = (mesh.points - mesh.points.mean(0) for mesh in (changed, target))
    left, _, right = np.linalg.svd(ours.T @ theirs)
    return _turn_degrees(left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right)


def _turn_degrees(rotation: np.ndarray) -> float:
    """The angle of a rotation [3, 3] by the chord: the arc cosine of the trace cannot tell angles under a hundredth of
    a degree apart."""
    return float(np.degrees(2 * np.arcsin(min(1.0, np.linalg.norm(rotation - np.eye(3)) / np.sqrt(8)))))


POSE = (pose_error_pnp68, pose_error_mesh468)
