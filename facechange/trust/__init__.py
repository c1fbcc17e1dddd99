"""Consent before a change, and one exit for every changed picture."""

from facechange.trust.consent import require_consent
from facechange.trust.publish import check_writable, publish, read_statement

__all__ = ["check_writable", "publish", "read_statement", "require_consent"]
