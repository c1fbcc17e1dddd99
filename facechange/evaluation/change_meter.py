"""What is measured of every rival on the same pairs, faces and occluders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFace, AlignedFaces
from facechange.evaluation.landmarker import Landmarker
from facechange.evaluation.occluders import cover_face
from facechange.evaluation.original_faces import OriginalFaces
from facechange.evaluation.psnr import psnr_crop
from facechange.evaluation.psnr_occluder import psnr_occluder
from facechange.evaluation.psnr_outside_hull68 import psnr_outside_hull68
from facechange.evaluation.recognised_as_source_pairs import pair_cosines, recognised_as_source_pairs
from facechange.evaluation.recognition import Judge
from facechange.evaluation.retrieval_top1_all_faces import retrieval_top1_all_faces
from facechange.evaluation.rivals import Rival
from facechange.evaluation.sharpness_ratio_hull68 import sharpness_ratio_hull68
from facechange.evaluation.skin_brightness_difference68 import skin_brightness_difference68
from facechange.evaluation.skin_colour_difference68 import skin_colour_difference68
from facechange.evaluation.ssim import ssim_crop
from facechange.evaluation.ssim_outside_hull68 import ssim_outside_hull68


@dataclass(frozen=True)
class Case:
    """One changed pair, to be looked at: uint8 [R, R, 3] crops, and the first judge's cosine of the result to the source.

    `identity` [512] is what the model was told of the source.
    """

    number: int
    cosine: float
    source: np.ndarray
    target: np.ndarray
    changed: np.ndarray
    identity: np.ndarray


@dataclass(frozen=True)
class Measured:
    """All that was measured of one rival: by metric a value [P] a pair, or [F] a face; by judge the vectors [P, D]."""

    by_pair: dict[str, np.ndarray]
    by_face: dict[str, np.ndarray]
    vectors: dict[str, np.ndarray]


class ChangeMeter:
    """Measures one rival after the other on the `pairs` [P, 2] (source, target) of `faces`."""

    def __init__(
        self,
        faces: AlignedFaces,
        pairs: np.ndarray,
        recognisers: Sequence[Judge],
        landmarker: Landmarker | None,
        photographs: Sequence[np.ndarray],
        seed: int,
        tick: Callable[[], None],
    ) -> None:
        """Show every face to the judges once; `tick` is called for each picture done, here and later."""
        self._faces, self._pairs, self._photographs, self._seed, self._tick = faces, pairs, photographs, seed, tick
        self._headline = recognisers[0].name
        self.originals = OriginalFaces(faces, recognisers, landmarker, tick)

    def measure(self, rival: Rival, keep: Callable[[Case], None] | None = None) -> Measured:
        """All metrics of `rival`; `keep` is handed each of its pairs."""
        by_pair: dict[str, list[float]] = {}
        by_face: dict[str, list[float]] = {}
        for index in range(len(self._faces)):
            face = self._faces[index]
            same = rival(face, face)
            _append(by_face, psnr_self_crop=psnr_crop(same, face.crop), ssim_self_crop=ssim_crop(same, face.crop))
            self._tick()
        vectors: dict[str, list[np.ndarray]] = {name: [] for name in self.originals.vectors}
        for number, (source_row, target_row) in enumerate(self._pairs):
            source, target = self._faces[source_row], self._faces[target_row]
            changed = rival(source, target)
            for name, vector in self.originals.recognise(changed, target_row).items():
                vectors[name].append(vector)
            _append(by_pair, **_compare(changed, target), psnr_occluder=self._measure_covered(rival, number, source, target))
            _append(by_pair, **self.originals.compare_poses(changed, target_row))
            if keep is not None:
                cosine = float(vectors[self._headline][-1] @ self.originals.vectors[self._headline][source_row])
                keep(Case(number, cosine, source.crop, target.crop, changed, source.identity))
            self._tick()
        seen = {name: np.stack(rows) for name, rows in vectors.items()}
        measured = {name: np.array(values) for name, values in by_pair.items()}
        for name, rows in seen.items():
            measured |= {f"{metric}_{name}": values for metric, values in self._compare_identities(name, rows).items()}
        return Measured(measured, {name: np.array(values) for name, values in by_face.items()}, seen)

    def _compare_identities(self, judge: str, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Whom a judge sees in the changed faces, by its `vectors` [P, D]."""
        gallery = self.originals.vectors[judge]
        sources, targets = gallery[self._pairs[:, 0]], gallery[self._pairs[:, 1]]
        return {
            "recognised_as_source_pairs": 100 * recognised_as_source_pairs(vectors, sources, targets),
            "retrieval_top1_all_faces": 100 * retrieval_top1_all_faces(vectors, gallery, self._pairs[:, 0]),
            "cosine_to_source_pairs": pair_cosines(vectors, sources),
            "cosine_to_target_pairs": pair_cosines(vectors, targets),
        }

    def _measure_covered(self, rival: Rival, number: int, source: AlignedFace, target: AlignedFace) -> float:
        """PSNR on a thing before the target's face, drawn from the seed and the pair's number."""
        random = np.random.default_rng((self._seed, number))
        covered, occluder = cover_face(target.crop, target.landmarks68, random, self._photographs)
        seen = AlignedFace(covered, target.identity_crop, target.landmarks5, target.landmarks68, target.identity)
        return psnr_occluder(rival(source, seen), covered, occluder)


def _compare(changed: np.ndarray, target: AlignedFace) -> dict[str, float]:
    """What must stay, of one changed crop."""
    arguments = changed, target.crop, target.landmarks68
    return {
        "psnr_outside_hull68": psnr_outside_hull68(*arguments),
        "ssim_outside_hull68": ssim_outside_hull68(*arguments),
        "skin_brightness_difference68": skin_brightness_difference68(*arguments),
        "skin_colour_difference68": skin_colour_difference68(*arguments),
        "sharpness_ratio_hull68": sharpness_ratio_hull68(*arguments),
    }


def _append(values: dict[str, list[float]], **measured: float) -> None:
    for name, value in measured.items():
        values.setdefault(name, []).append(value)
