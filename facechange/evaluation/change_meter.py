"""What is measured of every baseline on the same pairs, faces and occluders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFace, AlignedFaces
from facechange.evaluation.baselines import Baseline
from facechange.evaluation.face_mesh import FaceMesh
from facechange.evaluation.landmarker import PoseEvaluator
from facechange.evaluation.occluders import cover_face
from facechange.evaluation.original_faces import OriginalFaces
from facechange.evaluation.recognition import Evaluator
from facechange.metrics.fidelity import (
    OUTSIDE_HULL,
    chroma_grey_crop,
    psnr_occluder,
    psnr_self_crop,
    ssim_self_crop,
    to_grey,
)
from facechange.metrics.identity import (
    cosine_to_source_pairs,
    cosine_to_target_pairs,
    recognised_as_source_pairs,
    retrieval_top1_all_faces,
)

GREY_EVERY = 4  # pairs; of the others the target is not made grey as well


@dataclass(frozen=True)
class Case:
    """One changed pair, to be looked at: the result, uint8 [R, R, 3], and the first evaluator's cosine of it to the
    source."""

    number: int
    cosine: float
    source: AlignedFace
    target: AlignedFace
    changed: np.ndarray


@dataclass(frozen=True)
class Measured:
    """All that was measured of one baseline: by metric a value [P] a pair, or [F] a face; by evaluator the vectors [P,
    D]."""

    by_pair: dict[str, np.ndarray]
    by_face: dict[str, np.ndarray]
    vectors: dict[str, np.ndarray]


class ChangeMeter:
    """Measures one baseline after the other on the `pairs` [P, 2] (source, target) of `faces`."""

    def __init__(
        self,
        faces: AlignedFaces,
        pairs: np.ndarray,
        evaluators: Sequence[Evaluator],
        landmarkers: Sequence[PoseEvaluator],
        photographs: Sequence[np.ndarray],
        seed: int,
        tick: Callable[[], None],
        mesh: FaceMesh | None = None,
    ) -> None:
        """Show every face to the evaluators once; `tick` is called for each picture done, here and later."""
        self._faces, self._pairs, self._photographs, self._seed, self._tick = faces, pairs, photographs, seed, tick
        self._headline = evaluators[0].name
        self.originals = OriginalFaces(faces, evaluators, landmarkers, tick, mesh)

    def measure(self, baseline: Baseline, keep: Callable[[Case], None] | None = None) -> Measured:
        """All metrics of `baseline`; `keep` is handed each of its pairs."""
        by_pair: dict[str, list[float]] = {}
        by_face: dict[str, list[float]] = {}
        for index in range(len(self._faces)):
            face = self._faces[index]
            same = baseline(face, face)
            _append(by_face, {metric.name: metric(same, face.crop) for metric in (psnr_self_crop, ssim_self_crop)})
            self._tick()
        vectors: dict[str, list[np.ndarray]] = {name: [] for name in self.originals.vectors}
        for number, (source_row, target_row) in enumerate(self._pairs):
            source, target = self._faces[source_row], self._faces[target_row]
            changed = baseline(source, target)
            for name, vector in self.originals.recognise(changed, target_row).items():
                vectors[name].append(vector)
            _append(
                by_pair,
                self.originals.compare_poses(changed, target_row) | self.originals.compare_faces(changed, target_row),
            )
            _append(by_pair, {metric.name: metric(changed, target.crop, target.landmarks68) for metric in OUTSIDE_HULL})
            grey = _measure_grey(baseline, source, target) if number % GREY_EVERY == 0 else np.nan
            covered = self._measure_covered(baseline, number, source, target)
            _append(by_pair, {chroma_grey_crop.name: grey, psnr_occluder.name: covered})
            if keep is not None:
                cosine = float(vectors[self._headline][-1] @ self.originals.vectors[self._headline][source_row])
                keep(Case(number, cosine, source, target, changed))
            self._tick()
        seen = {name: np.stack(rows) for name, rows in vectors.items()}
        measured: dict[str, np.ndarray] = {}
        for name, rows in seen.items():
            measured |= self._compare_identities(name, rows)
        measured |= {name: np.array(values) for name, values in by_pair.items()}
        return Measured(measured, {name: np.array(values) for name, values in by_face.items()}, seen)

    def _compare_identities(self, evaluator: str, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Whom an evaluator sees in the changed faces, by its `vectors` [P, D]."""
        gallery = self.originals.vectors[evaluator]
        sources, targets = gallery[self._pairs[:, 0]], gallery[self._pairs[:, 1]]
        return {
            retrieval_top1_all_faces.by(evaluator): retrieval_top1_all_faces(vectors, gallery, self._pairs[:, 0]),
            recognised_as_source_pairs.by(evaluator): recognised_as_source_pairs(vectors, sources, targets),
            cosine_to_source_pairs.by(evaluator): cosine_to_source_pairs(vectors, sources),
            cosine_to_target_pairs.by(evaluator): cosine_to_target_pairs(vectors, targets),
        }

    def _measure_covered(self, baseline: Baseline, number: int, source: AlignedFace, target: AlignedFace) -> float:
        """PSNR on a thing before the target's face, drawn from the seed and the pair's number."""
        random = np.random.default_rng((self._seed, number))
        covered, occluder = cover_face(target.crop, target.landmarks68, random, self._photographs)
        return psnr_occluder(baseline(source, replace(target, crop=covered)), covered, occluder)


def _measure_grey(baseline: Baseline, source: AlignedFace, target: AlignedFace) -> float:
    """Chroma of the result where the target has no colour."""
    return chroma_grey_crop(baseline(source, replace(target, crop=to_grey(target.crop))))


def _append(values: dict[str, list[float]], measured: dict[str, float]) -> None:
    for name, value in measured.items():
        values.setdefault(name, []).append(value)
