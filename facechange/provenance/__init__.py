"""One exit for everything changed: marked, signed, and to be checked by anyone.

In the order in which it reads:

- marks: `watermark` with `watermark_code` (what it says) and `watermark_sync` (finding it), `label`, and `marks` (both,
  by the settings);
- words: `statement` (XMP) and `manifest` (C2PA), which `credentials` signs with the key of `core.signing`;
- the exits: `publish` for files, remembered by `registry`, and `live_frames`;
- the way back: `verify`, and `verify_words` in sentences.
"""

from facechange.provenance.live_frames import LivePublication, PublishedFrame
from facechange.provenance.marks import mark_frame
from facechange.provenance.publish import (
    MarkedPicture,
    Marks,
    check_media_writable,
    check_writable,
    mark_picture,
    publish,
    publish_marked,
    publish_media,
    read_statement,
)
from facechange.provenance.registry import new_identifier

__all__ = [
    "LivePublication",
    "MarkedPicture",
    "Marks",
    "PublishedFrame",
    "check_media_writable",
    "check_writable",
    "mark_frame",
    "mark_picture",
    "new_identifier",
    "publish",
    "publish_marked",
    "publish_media",
    "read_statement",
]
