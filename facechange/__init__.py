"""High-definition face change: the identity of one face, everything else of another picture.

Files to files, with consent and provenance inside:

    facechange.swap_photo("ann.jpg", "party.jpg", "out.jpg", "Ann and all at the party agreed on 2 May")

and in memory:

    swapper = facechange.load()
    changed = swapper.change("target.jpg", swapper.identify("source.jpg"))

What `__all__` names is public, with the public methods of what it gives out; anything else can change with any release
(docs/api.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facechange import unobserved as unobserved  # before any dependency is imported

if TYPE_CHECKING:
    from facechange import errors as errors
    from facechange.public import (
        Consent,
        Face,
        Identity,
        Swapper,
        anonymize,
        keep_identity,
        swap_photo,
        swap_video,
        verify,
    )

__version__ = "0.1.0"
__all__ = [
    "Consent",
    "Face",
    "Identity",
    "Swapper",
    "__version__",
    "anonymize",
    "errors",
    "keep_identity",
    "load",
    "swap_photo",
    "swap_video",
    "verify",
]


def load(
    model: str | Path = "facechange-512",
    threads: int | None = None,
    engine: str = "auto",
    detector_threshold: float | None = None,
) -> Swapper:
    """A swapper with the embedded networks: `model` is `facechange-512`, the quicker `facechange-256`,
    `facechange-1024` with most detail, or a file.

    `engine` is a value of the option `--engine`, `detector_threshold` (0..1) the least score of a face.

    Raises:
        ModelError: where a graph is missing or is not what its card says.
    """
    from facechange.swap.swapper import load_swapper  # late: importing the package stays light

    return load_swapper(model, threads, engine, detector_threshold=detector_threshold)


def __getattr__(name: str) -> Any:
    """The other public names, imported when they are first asked for."""
    from importlib import import_module

    if name == "errors":
        return import_module("facechange.errors")
    if name in __all__:
        return getattr(import_module("facechange.public"), name)
    raise AttributeError(f"module 'facechange' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
