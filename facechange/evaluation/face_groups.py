"""Which faces belong together, so that no mean hides for whom a model fails: by their labels, and by what the picture
shows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from facechange.data.labelled import LabelledFace
from facechange.evaluation.aligned_faces import AlignedFace, AlignedFaces
from facechange.metrics.fidelity import face_regions
from facechange.metrics.pose import fit_pose

Steps = Sequence[tuple[float, str]]  # each name holds from the end of the one before up to this value
AGES: Steps = ((35, "under 35 years"), (60, "35 to 59 years"), (np.inf, "60 years and over"))
# Individual typology angle (Chardon et al. 1991) of the cheeks as the picture shows them: light that falls on them
# counts too.
SKINS: Steps = ((-30, "dark skin"), (10, "brown skin"), (28, "tan skin"), (np.inf, "light skin"))
TURNS: Steps = ((5, "turned less than 5°"), (15, "turned 5° to 15°"), (np.inf, "turned 15° and more"))
WIDTHS: Steps = ((200, "face under 200 px wide"), (320, "face 200 to 320 px wide"), (np.inf, "face over 320 px wide"))


def members_by_group(pictures: Sequence[LabelledFace], faces: AlignedFaces) -> dict[str, np.ndarray]:
    """For each group that has a face, which of the faces belong to it: bool [F]; a face belongs to several groups."""
    named = [_name_groups(face, faces[index]) for index, face in enumerate(pictures)]
    order = [*sorted({face.group for face in pictures if face.group is not None}), "female", "male"]
    order += [name for steps in (AGES, SKINS, TURNS, WIDTHS) for _, name in steps]
    order += sorted({name for names in named for name in names} - set(order))
    members = {name: np.array([name in names for names in named]) for name in order}
    return {name: belongs for name, belongs in members.items() if belongs.any()}


def _name_groups(face: LabelledFace, aligned: AlignedFace) -> set[str]:
    width_px = float(np.ptp(face.landmarks68[:, 0])) if face.landmarks68 is not None else 0.0
    names = {_step(SKINS, typology_angle(aligned)), _step(TURNS, abs(yaw_degrees(aligned))), _step(WIDTHS, width_px)}
    names |= {name for name in (face.group, face.sex) if name is not None}
    return names if face.age is None else names | {_step(AGES, face.age)}


def typology_angle(face: AlignedFace) -> float:
    """How light the cheeks are, in degrees: arctan((L* - 50) / b*), about 55 for the lightest skin and -60 for the
    darkest."""
    lab = cv2.cvtColor(face.crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    cheeks = np.concatenate([lab[cheek > 0] for *_, cheek in face_regions(face.landmarks68, face.crop.shape[0])])
    lightness, _, yellow = np.median(cheeks, axis=0) if len(cheeks) else (50.0, 0.0, 0.0)
    return float(np.degrees(np.arctan2(lightness - 50, max(yellow, 1e-3))))


def yaw_degrees(face: AlignedFace) -> float:
    """How far the head is turned to the side, by its 68 landmarks; its sign says to which."""
    rotation = fit_pose(face.landmarks68, face.crop.shape[0]).rotation
    return float(np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2])))


def _step(steps: Steps, value: float) -> str:
    return next(name for end, name in steps if value < end)
