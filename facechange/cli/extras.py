"""What an optional extra brings, and what to say where it is missing."""

from importlib import import_module
from importlib.util import find_spec

from facechange.cli.console import waiting
from facechange.core import DependencyError


def need_training() -> None:
    """Raise `DependencyError` unless the `train` extra is installed."""
    if find_spec("torch") is None or find_spec("safetensors") is None:
        raise DependencyError(
            "Training and export need PyTorch, which is not installed.",
            'Install it with: pip install "facechange[train]"',
        )
    with waiting("Loading PyTorch"):
        import_module("torch")


def need_video() -> None:
    """Raise `DependencyError` unless the `video` extra is installed."""
    if find_spec("av") is None:
        raise DependencyError(
            "Videos need PyAV, which is not installed.", 'Install it with: pip install "facechange[video]"'
        )


def need_service() -> None:
    """Raise `DependencyError` unless the `serve` extra is installed."""
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "sqlalchemy", "fsspec")):
        raise DependencyError(
            "The service needs FastAPI and what it works with, which are not installed.",
            'Install them with: pip install "facechange[serve]"',
        )


def need_scale() -> None:
    """Raise `DependencyError` unless the `scale` extra is installed."""
    if find_spec("ray") is None:
        raise DependencyError(
            "Work on a cluster needs Ray, which is not installed.", 'Install it with: pip install "facechange[scale]"'
        )
