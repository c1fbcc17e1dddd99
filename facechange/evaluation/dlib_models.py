"""dlib's networks out of the package face_recognition_models: evaluators that took no part in training."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facechange.core.errors import DependencyError, ModelError


def open_dlib(kind: str, file: str) -> Any:
    """The network that dlib's class `kind` makes of `file`.

    Raises `DependencyError` where a package is missing, `ModelError` where the file is.
    """
    try:
        import dlib
    except ImportError:
        package = None
    else:
        package = find_spec("face_recognition_models")  # only found: importing it needs setuptools' pkg_resources
    if package is None or not package.submodule_search_locations:
        raise DependencyError(
            "The evaluator dlib needs the packages dlib-bin and face_recognition_models.",
            "Install them with: pip install 'facechange[evaluate]'",
        )
    path = Path(package.submodule_search_locations[0]) / "models" / file
    if not path.is_file():
        raise ModelError(f"{path} is missing.", "Install the package face_recognition_models again.")
    return getattr(dlib, kind)(str(path))
