"""What a changed picture says about itself, as XMP properties."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from xml.etree import ElementTree

from facechange.pictures.xmp import XMP, get_property, parse_xmp, serialise_xmp, set_property

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
NAMESPACE = "urn:facechange:statement:1:"
# IPTC NewsCodes: a photograph with parts that a trained model made.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
PROPERTIES = {
    "consent": f"{{{NAMESPACE}}}Consent",
    "model": f"{{{NAMESPACE}}}Model",
    "software": XMP + "CreatorTool",
    "digital_source_type": IPTC + "DigitalSourceType",
}
LARGEST_BYTES = 60_000  # a JPEG segment holds 65,502
ElementTree.register_namespace("facechange", NAMESPACE)


def add_statement(packet: bytes | None, consent: str, model: str) -> tuple[bytes, dict[str, str]]:
    """The packet with the statement in it, and the statement as `read` would give it back.

    The consent of an earlier change stays, a line each. A packet too large for a JPEG is dropped but for its statement.
    """
    root = parse_xmp(packet)
    lines = [*(get_property(root, PROPERTIES["consent"]) or "").splitlines(), consent]
    statement = {
        "consent": "\n".join(dict.fromkeys(lines)),
        "model": model,
        "software": _software(),
        "digital_source_type": SOURCE_TYPE,
    }
    for key, name in PROPERTIES.items():
        set_property(root, name, statement[key])
    stated = serialise_xmp(root)
    if packet and len(stated) > LARGEST_BYTES:
        return add_statement(None, statement["consent"], model)
    return stated, statement


def parse_statement(packet: bytes | None) -> dict[str, str]:
    """The statement in a packet: consent, model, software, digital_source_type; empty where facechange made none."""
    root = parse_xmp(packet)
    if get_property(root, PROPERTIES["consent"]) is None:
        return {}
    return {key: get_property(root, name) or "" for key, name in PROPERTIES.items()}


def _software() -> str:
    try:
        return f"facechange {version('facechange')}"
    except PackageNotFoundError:  # run from a checkout
        return "facechange"
