"""Folders of photographs and videos, end to end; any work on a single file can be done to a whole folder."""

from facechange.change.folder.changing import ChangeOptions, change_work, describe_changes
from facechange.change.folder.journal import Counts, Done, Entry
from facechange.change.folder.names import DEFAULT_PATTERN
from facechange.change.folder.running import FolderRun, Work, open_folder

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
