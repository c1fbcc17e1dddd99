"""Types, errors and model cards."""

from facechange.core.cards import ModelCard, hash_file, load_card
from facechange.core.errors import (
    EXIT_NOT_ALL_CHANGED,
    EXIT_NOT_AS_SIGNED,
    ConsentError,
    ContestedFaceError,
    DependencyError,
    FacechangeError,
    FaceError,
    ModelError,
    OutputError,
    PictureError,
    SettingsError,
    StoppedError,
    TrainingError,
    VideoError,
    is_out_of_memory,
    tell_refusal,
)
from facechange.core.settings import Folders, Settings, cache_folder
from facechange.core.types import COVERED, Changed, Deed, Face, Outcome
from facechange.core.words import clean_line, say, say_json, show

__all__ = [
    "COVERED",
    "EXIT_NOT_ALL_CHANGED",
    "EXIT_NOT_AS_SIGNED",
    "Changed",
    "ConsentError",
    "ContestedFaceError",
    "Deed",
    "DependencyError",
    "Face",
    "FaceError",
    "FacechangeError",
    "Folders",
    "ModelCard",
    "ModelError",
    "Outcome",
    "OutputError",
    "PictureError",
    "Settings",
    "SettingsError",
    "StoppedError",
    "TrainingError",
    "VideoError",
    "cache_folder",
    "clean_line",
    "hash_file",
    "is_out_of_memory",
    "load_card",
    "say",
    "say_json",
    "show",
    "tell_refusal",
]
