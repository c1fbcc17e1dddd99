"""The main job: pictures in memory and photographs as files."""

from facechange.change.changer import STRENGTH_RANGE, Changer, load_changer
from facechange.change.photograph import Published, change_photograph, check_request, publish_mask_sheet

__all__ = ["STRENGTH_RANGE", "Changer", "Published", "change_photograph", "check_request", "load_changer", "publish_mask_sheet"]
