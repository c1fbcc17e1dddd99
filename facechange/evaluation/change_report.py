"""How well a face-change model moves identity and keeps everything else, on aligned crops of pictures it never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from facechange.core.errors import PictureError
from facechange.evaluation.aligned_faces import AlignedFaces, FacePictures, members_by_group
from facechange.evaluation.change_meter import Case, ChangeMeter, Measured
from facechange.evaluation.frechet_distance import frechet_distance_interval
from facechange.evaluation.identity_report import Identify
from facechange.evaluation.intervals import Interval, bootstrap_mean
from facechange.evaluation.landmarker import Landmarker
from facechange.evaluation.pairs import draw_pairs
from facechange.evaluation.progress import Progress, no_progress, ticking
from facechange.evaluation.recognition import Judge
from facechange.evaluation.report import Report
from facechange.evaluation.rivals import Change, Rival, as_rival

# Every metric of a change in the order of the tables, with its unit. The first are measured by each judge, whose name follows. One
# more of each judge, the Fréchet distance, is of no single pair.
JUDGED = {
    "retrieval_top1_all_faces": "%",
    "recognised_as_source_pairs": "%",
    "cosine_to_source_pairs": "cosine",
    "cosine_to_target_pairs": "cosine",
}
UNITS = {
    "pose_error_pnp68": "degrees",
    "expression_error_openings68": "deviations",
    "psnr_self_crop": "dB",
    "ssim_self_crop": "SSIM",
    "psnr_outside_hull68": "dB",
    "ssim_outside_hull68": "SSIM",
    "skin_brightness_difference68": "levels of 255",
    "skin_colour_difference68": "CIELAB",
    "sharpness_ratio_hull68": "ratio",
    "psnr_occluder": "dB",
}


def evaluate_change(
    change: Change,
    identify: Identify,
    size_px: int,
    faces: FacePictures,
    recognisers: Sequence[Judge],
    pairs: int = 240,
    seed: int = 0,
    progress: Progress = no_progress,
    keep: Callable[[Case], None] | None = None,
    *,
    landmarker: Landmarker | None = None,
    references: Mapping[str, Rival] | None = None,
    photographs: Sequence[np.ndarray] = (),
) -> Report:
    """Change `pairs` pairs of different faces, and every face into itself, and measure the crops of side `size_px`.

    The recognisers see sources and targets in their full resolution and the changed crop through the target's landmarks; the first
    is the headline.
    Pose and expression are left out without a `landmarker`. `references` are measured on the same pairs. Things put before the
    face are cut from `photographs` (uint8 [H, W, 3]) where there are some. A pair belongs to its target's group. `keep` is handed each pair
    of the model. Raises `PictureError` where there are not enough faces.
    """
    count = len(faces.faces)
    if not 1 <= pairs <= count * (count - 1):
        raise PictureError(f"{count} faces do not give {pairs} pairs.", f"Ask for 1 to {count * (count - 1)}.")
    rivals = {"": as_rival(change), **(references or {})}
    tick = ticking(progress, count + len(rivals) * (count + pairs))
    rows = draw_pairs(count, pairs, seed)
    meter = ChangeMeter(AlignedFaces(faces, identify, size_px), rows, recognisers, landmarker, photographs, seed, tick)
    measured = {name: meter.measure(rival, keep if name == "" else None) for name, rival in rivals.items()}
    summaries = {name: _summarise(values, seed) for name, values in measured.items()}
    if pairs > 1:
        for name, values in measured.items():
            for judge, gallery in meter.originals.vectors.items():
                summaries[name][f"frechet_distance_{judge}"] = frechet_distance_interval(values.vectors[judge], gallery, seed)
    protocol = {
        "faces": count,
        "pairs": pairs,
        "size_px": size_px,
        "recognisers": " and ".join(judge.name for judge in recognisers),
        "landmarker": landmarker.name if landmarker else "none",
        "occluders": "cut from photographs" if len(photographs) else "drawn",
        "seed": seed,
    }
    groups = {name: _summarise(_of_group(measured[""], members, rows), seed) for name, members in members_by_group(faces.faces).items()}
    return Report(protocol, summaries.pop(""), references=summaries, groups=groups)


def _summarise(measured: Measured, seed: int) -> dict[str, Interval]:
    values = measured.by_pair | measured.by_face
    units = {f"{metric}_{judge}": unit for judge in measured.vectors for metric, unit in JUDGED.items()} | UNITS
    return {name: bootstrap_mean(values[name], unit, seed) for name, unit in units.items() if name in values and len(values[name])}


def _of_group(measured: Measured, members: np.ndarray, rows: np.ndarray) -> Measured:
    """What was measured of the faces that are `members` (bool [F]), and of the pairs whose target is one."""
    pairs = members[rows[:, 1]]
    by_pair = {name: values[pairs] for name, values in measured.by_pair.items()}
    vectors = {name: rows[pairs] for name, rows in measured.vectors.items()}
    return Measured(by_pair, {name: values[members] for name, values in measured.by_face.items()}, vectors)
