"""Consent before a change, and one exit for everything changed: marked, signed, and to be checked by anyone.

In the order in which it reads:

- `context`: settings, ledger, keys, clock and folders, built once and handed down;
- consent: `record` (what is written down), `ledger` (where), `standing` (whether it holds), `recording` (by hand), `consent` (the gate);
- marks: `watermark` with `watermark_code` (what it says) and `watermark_sync` (finding it), `label`, and `marks` (both, by the settings);
- words: `statement` (XMP) and `manifest` (C2PA), which `credentials` signs; `signing` finds the key, `keys` reads or makes it;
- the exits: `publish` for files, through `files` and remembered by `registry`, and `live_frames`;
- the way back: `verify`, and `verify_words` in sentences.
"""

from facechange.trust.consent import Grant, require_evaluation_grant, require_grant
from facechange.trust.context import Context, load_context
from facechange.trust.live_frames import LivePublication, PublishedFrame
from facechange.trust.marks import mark_frame
from facechange.trust.publish import check_media_writable, check_writable, publish, publish_media, read_statement
from facechange.trust.registry import new_identifier

__all__ = [
    "Context",
    "Grant",
    "LivePublication",
    "PublishedFrame",
    "check_media_writable",
    "check_writable",
    "load_context",
    "mark_frame",
    "new_identifier",
    "publish",
    "publish_media",
    "read_statement",
    "require_evaluation_grant",
    "require_grant",
]
