"""FID, the distance that others publish: by the package torch-fidelity, and by Inception's own weights or not at
all."""

from __future__ import annotations

from pathlib import Path

from facechange.evaluation.change_meter import Case
from facechange.evaluation.paste_source import paste_source
from facechange.images import as_picture, encode_picture
from facechange.metrics.fidelity import fid_inception_pairs, fid_inception_pairs_source_pasted


class FidPictures:
    """Collects changed crops, pasted ones beside them, and the sources' as the real ones, as torch-fidelity wants them.

    They are work files and leave by no other way: whoever gives the folder removes it.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the pictures in `folder`, which exists and is empty."""
        self._changed, self._pasted, self._real = folder / "changed", folder / "pasted", folder / "real"
        for place in (self._changed, self._pasted, self._real):
            place.mkdir()

    def __call__(self, case: Case) -> None:
        """Write one pair."""
        crops = {
            self._changed: case.changed,
            self._pasted: paste_source(case.source, case.target),
            self._real: case.source.crop,
        }
        for folder, crop in crops.items():
            (folder / f"{case.number}.png").write_bytes(encode_picture(as_picture(crop), ".png"))

    def measure(self, weights: Path | None) -> dict[str, float]:
        """FID of what was collected, by the name of its entry in a report's details."""
        baselines = {fid_inception_pairs: self._changed, fid_inception_pairs_source_pasted: self._pasted}
        return {metric.name: metric(folder, self._real, weights) for metric, folder in baselines.items()}
