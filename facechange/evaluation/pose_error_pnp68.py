"""Pose error (Table 1 of the patent): by how many degrees did the head turn?"""

from __future__ import annotations

import numpy as np

from facechange.evaluation.pose68 import Pose68


def pose_error_pnp68(changed: Pose68, target: Pose68) -> float:
    """The angle in degrees of the rotation between two heads, 0..180; for small ones the length of (yaw, pitch, roll)."""
    between = changed.rotation @ target.rotation.T
    # By the chord, not the arc cosine of the trace, which cannot tell angles under a hundredth of a degree apart.
    return float(np.degrees(2 * np.arcsin(min(1.0, np.linalg.norm(between - np.eye(3)) / np.sqrt(8)))))
