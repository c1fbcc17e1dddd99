"""Errors that a user can act on: one sentence, one remedy, one exit code each."""

import os

# no error: the result is there, but a face in it was covered, or left because nothing made it unlike
EXIT_NOT_ALL_CHANGED = 11
# no error either: `verify` did its work, and what it looked at is not what its credentials are of
EXIT_NOT_AS_SIGNED = 12


def tell_refusal(error: OSError) -> str:
    """What the system has against a file that somebody named, as a sentence: a name that is too long, a folder that may
    not be entered."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else "A file"
    return f"{name} cannot be used: {error.strerror or error}. Check the name and the disk."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice: libraries tell it by exceptions of their own (OpenCV's -4, FFmpeg's) or in words
    only (engines, the linker), and what was made of it (`raise ... from`) is that still."""
    if error.__cause__ is not None and is_out_of_memory(error.__cause__):
        return True
    if isinstance(error, FacechangeError):  # its words may name a person's file
        return False
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = f"{type(error).__name__} {said}".lower()
    words = (
        "out of memory",
        "outofmemory",
        "insufficient memory",
        "bad_alloc",
        "failed to allocate",
        "can't alloc",
        "cannot allocate memory",
        "bfcarena::allocate",  # ONNX Runtime's
        "broken promise",  # OpenVINO's, of a thread that could not begin
        "failed to serialize proto",
        "failed to map segment",  # a library that is loaded late
        "resource temporarily unavailable",  # a thread's stack
        "can't start new thread",
    )
    return isinstance(error, MemoryError) or any(each in text for each in words)


class FacechangeError(Exception):
    """Base of every error shown to a user.

    `message` says what is wrong, `remedy` what to do about it; both are plain sentences without a file dump.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class PictureError(FacechangeError):
    """A picture is missing, unreadable, truncated, too large or of an unknown kind."""

    exit_code = 3


class VideoError(PictureError):
    """A video is missing, unreadable, without a picture track or of a kind that cannot be changed faithfully."""


class FaceError(FacechangeError):
    """No usable face, or the face that was asked for is not there."""

    exit_code = 4


class ContestedFaceError(FaceError):
    """Two people were to have the same face."""


class OutputError(FacechangeError):
    """The result could not be written; nothing partial is left behind."""

    exit_code = 5


class ConsentError(FacechangeError):
    """A change was asked for without consent that holds, or the ledger of consent cannot be relied on."""

    exit_code = 6


class ModelError(FacechangeError):
    """A graph, its card or a checkpoint is missing, corrupt or does not fit."""

    exit_code = 7


class TrainingError(FacechangeError):
    """Training cannot start or had to stop; the message names the last good checkpoint."""

    exit_code = 8


class DependencyError(FacechangeError):
    """A command needs an optional extra that is not installed."""

    exit_code = 9


class SettingsError(FacechangeError):
    """The operator's settings file is missing, unreadable or says something unknown."""

    exit_code = 10


class ClusterError(FacechangeError):
    """The machines that were to work together cannot be reached, do not fit together, or are lost."""

    exit_code = 13


class StoppedError(FacechangeError):
    """Ctrl-C ended a run that can go on; the message says where."""

    exit_code = 130
