"""FID, the distance that others publish: by the package torch-fidelity, and by Inception's own weights or not at all."""

from __future__ import annotations

from pathlib import Path

from facechange.core.errors import DependencyError, ModelError
from facechange.evaluation.change_meter import Case
from facechange.evaluation.paste_source import paste_source
from facechange.pictures import as_picture, encode_picture


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
        crops = {self._changed: case.changed, self._pasted: paste_source(case.source, case.target), self._real: case.source.crop}
        for folder, crop in crops.items():
            (folder / f"{case.number}.png").write_bytes(encode_picture(as_picture(crop), ".png"))

    def measure(self, weights: Path | None) -> dict[str, float]:
        """`fid_inception` of what was collected, by the name of its entry in a report's details."""
        return {
            "fid_inception_pairs": fid_inception(self._changed, self._real, weights),
            "fid_inception_pairs_source_pasted": fid_inception(self._pasted, self._real, weights),
        }


def need_fid() -> None:
    """Raise `DependencyError` unless torch-fidelity can be imported."""
    try:
        import torch_fidelity  # noqa: F401  what it needs itself may be missing too
    except (ImportError, RuntimeError) as error:  # the latter from a torchvision made for another PyTorch
        raise DependencyError(
            f"FID needs the packages torch-fidelity and torchvision, and one cannot be used ({error}).",
            "Install them for your PyTorch with: pip install torch-fidelity torchvision",
        ) from None


def fid_inception(changed: Path, real: Path, weights: Path | None = None) -> float:
    """FID (Heusel et al. 2017) of the pictures in two folders, at least two in each.

    `weights` is the file of Inception's weights for torch-fidelity, which fetches them itself where it is None. Raises
    `DependencyError` without the package and `ModelError` where the weights cannot be had.
    """
    need_fid()
    from torch_fidelity import calculate_metrics

    try:
        measured = calculate_metrics(
            input1=str(changed),
            input2=str(real),
            fid=True,
            cuda=False,
            verbose=False,
            feature_extractor_weights_path=None if weights is None else str(weights),
        )
    except Exception as error:  # whatever the network, the file or PyTorch raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"Inception's weights could not be used ({reason}).", "Give their file to --inception, or leave --fid out."
        ) from None
    return float(measured["frechet_inception_distance"])
