"""Types, errors and model cards."""

from facechange.core.cards import ModelCard, hash_file, load_card
from facechange.core.errors import (
    ConsentError,
    DependencyError,
    FacechangeError,
    FaceError,
    ModelError,
    OutputError,
    PictureError,
    TrainingError,
)
from facechange.core.types import Changed, Face

__all__ = [
    "Changed",
    "ConsentError",
    "DependencyError",
    "Face",
    "FaceError",
    "FacechangeError",
    "ModelCard",
    "ModelError",
    "OutputError",
    "PictureError",
    "TrainingError",
    "hash_file",
    "load_card",
]
