"""What a changed picture says about itself, as XMP properties."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from xml.etree import ElementTree

from facechange.images.xmp import XMP, get_property, parse_xmp, serialise_xmp, set_property

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
NAMESPACE = "urn:facechange:statement:1:"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"  # IPTC NewsCodes
PROPERTIES = {
    "consent": f"{{{NAMESPACE}}}Consent",
    "model": f"{{{NAMESPACE}}}Model",
    "software": XMP + "CreatorTool",
    "digital_source_type": IPTC + "DigitalSourceType",
}
LARGEST_BYTES = 60_000  # a JPEG segment holds 65,502
ElementTree.register_namespace("facechange", NAMESPACE)


def digital_source_type(persona: bool) -> str:
    """IPTC's word for what a trained model made of a photograph: parts of it, or a person who does not exist."""
    return SOURCE_TYPES + ("trainedAlgorithmicMedia" if persona else "compositeWithTrainedAlgorithmicMedia")


def software_version() -> tuple[str, str]:
    """This program's name and version; no version in a checkout that is not installed."""
    try:
        return "facechange", version("facechange")
    except PackageNotFoundError:
        return "facechange", ""


def add_statement(
    packet: bytes | None, consent: str, model: str, persona: bool = False
) -> tuple[bytes, dict[str, str]]:
    """The packet with the statement in it, and the statement as `read` would give it back.

    The consent of an earlier change stays, a line each. A packet too large for a JPEG is dropped but for its statement.
    """
    root = parse_xmp(packet)
    lines = [*(get_property(root, PROPERTIES["consent"]) or "").splitlines(), consent]
    statement = {
        "consent": "\n".join(dict.fromkeys(lines)),
        "model": model,
        "software": " ".join(software_version()).strip(),
        "digital_source_type": digital_source_type(persona),
    }
    for key, name in PROPERTIES.items():
        set_property(root, name, statement[key])
    stated = serialise_xmp(root)
    if packet and len(stated) > LARGEST_BYTES:
        return add_statement(None, statement["consent"], model, persona)
    return stated, statement


def parse_statement(packet: bytes | None) -> dict[str, str]:
    """The statement in a packet: consent, model, software, digital_source_type; empty where facechange made none."""
    root = parse_xmp(packet)
    if get_property(root, PROPERTIES["consent"]) is None:
        return {}
    return {key: get_property(root, name) or "" for key, name in PROPERTIES.items()}


def parse_source_type(packet: bytes | None) -> str:
    """The last part of IPTC's digital source type in a packet, whoever stated it; empty where there is none."""
    return (get_property(parse_xmp(packet), PROPERTIES["digital_source_type"]) or "").rpartition("/")[2]
