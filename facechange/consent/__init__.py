"""Consent before a change: `record` (what is written down), `ledger` (where), `status` (whether it holds), `recording`
(by hand), `gate` (no change without it), and the `context` that a run is handed: settings, ledger, keys, clock,
folders.
"""

from facechange.consent.context import Context, load_context
from facechange.consent.gate import Grant, require_evaluation_grant, require_grant

__all__ = ["Context", "Grant", "load_context", "require_evaluation_grant", "require_grant"]
