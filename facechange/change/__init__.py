"""The main job: pictures in memory and photographs as files."""

from facechange.change.casting import OneForAll, PersonaCast, cast_sources
from facechange.change.changer import STRENGTH_RANGE, Changer, load_changer, load_locator
from facechange.change.photograph import Published, change_photograph, publish_mask_sheet, request_change

__all__ = [
    "STRENGTH_RANGE",
    "Changer",
    "OneForAll",
    "PersonaCast",
    "Published",
    "cast_sources",
    "change_photograph",
    "load_changer",
    "load_locator",
    "publish_mask_sheet",
    "request_change",
]
