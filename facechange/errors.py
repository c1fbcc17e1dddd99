"""Every error that a caller can act on, by its public name: each has a `message`, a `remedy` and the command line's
`exit_code`."""

from facechange.core.errors import (
    ClusterError,
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
)

__all__ = [
    "ClusterError",
    "ConsentError",
    "ContestedFaceError",
    "DependencyError",
    "FaceError",
    "FacechangeError",
    "ModelError",
    "OutputError",
    "PictureError",
    "SettingsError",
    "StoppedError",
    "TrainingError",
    "VideoError",
]
