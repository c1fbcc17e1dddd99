"""The main job: pictures in memory and photographs as files."""

from facechange.swap.assignment import FixedIdentity, PersonaAssignment, assign_sources
from facechange.swap.photo import Published, change_photograph, publish_mask_sheet, request_change
from facechange.swap.swapper import STRENGTH_RANGE, Swapper, load_detector, load_swapper

__all__ = [
    "STRENGTH_RANGE",
    "FixedIdentity",
    "PersonaAssignment",
    "Published",
    "Swapper",
    "assign_sources",
    "change_photograph",
    "load_detector",
    "load_swapper",
    "publish_mask_sheet",
    "request_change",
]
