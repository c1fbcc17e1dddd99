"""High-definition face change: the identity of one face, everything else of another picture.

changer = facechange.load()
changed = changer.change("target.jpg", changer.identify("source.jpg"))
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facechange import unobserved as unobserved  # before any dependency is imported

if TYPE_CHECKING:
    from facechange.change.changer import Changer

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(
    model: str | Path = "change-large", threads: int | None = None, engine: str = "auto", detector_threshold: float | None = None
) -> Changer:
    """A changer with the embedded networks: `model` is `change-large`, the quicker `change`, `change-largest` with most detail, or a file.

    `engine` is a value of the option `--execution-providers`, `detector_threshold` (0..1) the least score of a face. Raises
    `facechange.core.ModelError` where a graph is missing or is not what its card says.
    """
    from facechange.change.changer import load_changer  # late: importing the package stays light

    return load_changer(model, threads, engine, detector_threshold=detector_threshold)
