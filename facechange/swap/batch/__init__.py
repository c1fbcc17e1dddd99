"""Folders of photographs and videos, end to end; any work on a single file can be done to a whole folder."""

from facechange.swap.batch.journal import Counts, Done, Entry
from facechange.swap.batch.names import DEFAULT_PATTERN
from facechange.swap.batch.run import FolderRun, Work, open_folder
from facechange.swap.batch.swap_file import ChangeOptions, change_work, describe_changes

__all__ = [
    "DEFAULT_PATTERN",
    "ChangeOptions",
    "Counts",
    "Done",
    "Entry",
    "FolderRun",
    "Work",
    "change_work",
    "describe_changes",
    "open_folder",
]
