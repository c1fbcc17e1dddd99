"""Consent before a change, and one exit for everything changed: marked, signed, and to be checked by anyone."""

from facechange.trust.consent import require_grant
from facechange.trust.grant import Grant
from facechange.trust.live_frames import LivePublication, PublishedFrame
from facechange.trust.marks import mark_frame
from facechange.trust.publish import check_media_writable, check_writable, publish, publish_media, read_statement
from facechange.trust.registry import new_identifier

__all__ = [
    "Grant",
    "LivePublication",
    "PublishedFrame",
    "check_media_writable",
    "check_writable",
    "mark_frame",
    "new_identifier",
    "publish",
    "publish_media",
    "read_statement",
    "require_grant",
]
