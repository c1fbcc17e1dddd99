"""XMP packets: parse, clean, set properties (ISO 16684-1). Names are in ElementTree's `{namespace}name` form."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from facechange.images.exif import OTHER_NOTES

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
TIFF = "{http://ns.adobe.com/tiff/1.0/}"
META = "{adobe:ns:meta/}"
DESCRIPTION = RDF + "Description"

# Prefixes that naive readers look for literally.
PREFIXES = {
    "x": META[1:-1],
    "rdf": RDF[1:-1],
    "xmp": XMP[1:-1],
    "tiff": TIFF[1:-1],
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
for _prefix, _namespace in PREFIXES.items():
    ElementTree.register_namespace(_prefix, _namespace)

# Properties about data that is not written again: thumbnails of the old face, gain maps, motion, depth, packet
# extensions.
STALE = (
    XMP + "Thumbnails",
    "{http://ns.adobe.com/hdr-gain-map/1.0/}",
    "{http://ns.apple.com/HDRGainMap/1.0/}",
    "{http://ns.adobe.com/xmp/note/}",
    "{http://ns.google.com/photos/1.0/camera/}",
    "{http://ns.google.com/photos/1.0/container/}",
    "{http://ns.google.com/photos/1.0/depthmap/}",
    "{http://ns.google.com/photos/1.0/image/}",
)
_THUMBNAILS = "{http://ns.adobe.com/xap/1.0/g/img/}"
_LONGEST_WORD = 2000  # characters without a space; longer ones are pictures and the like, written in letters
# How a panorama is to be shown, in numbers and a few words.
_PANORAMA = "{http://ns.google.com/photos/1.0/panorama/}"
_PANORAMA_VALUE = re.compile(r"equirectangular|cylindrical|[Tt]rue|[Ff]alse|-?\d{1,6}(\.\d{1,6})?")
# What properties are about, by parts of their names in the order of asking.
_WORDS = (
    ("an earlier statement of consent", ("facechange:statement",)),
    ("face regions", ("metadataworkinggroup.com/schemas/regions", "ns.microsoft.com/photo/1.", "ImageRegion")),
    ("places", ("Location", "City", "Country", "State", "GPS", "geo")),
    (
        "names",
        (
            "}creator",
            "Person",
            "CreatorContact",
            "rights",
            "Owner",
            "Author",
            "Credit",
            "Artist",
            "Copyright",
            "contributor",
            "Artwork",
        ),
    ),
    (
        "captions",
        (
            "title",
            "description",
            "subject",
            "Headline",
            "Instructions",
            "hierarchicalSubject",
            "Keywords",
            "UserComment",
        ),
    ),
    ("dates", ("Date", "date", "when")),
    ("the camera", ("SerialNumber", "Lens", "Make", "Model")),
)
LARGEST_BYTES = 1 << 20
DEEPEST = 100  # elements within each other; ElementTree writes them by recursion


def parse_xmp(packet: bytes | None) -> ElementTree.Element:
    """The packet's tree with an `rdf:RDF` in it; an empty one where there is no packet or it cannot be read."""
    if packet and len(packet) <= LARGEST_BYTES and b"<!" not in packet:  # no DOCTYPE: entities could grow without bound
        try:
            root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
        except (ElementTree.ParseError, ValueError, LookupError):
            pass
        else:
            if _nesting(root) <= DEEPEST and (root.tag == RDF + "RDF" or root.find(f".//{RDF}RDF") is not None):
                return root
    root = ElementTree.Element(META + "xmpmeta")
    ElementTree.SubElement(root, RDF + "RDF")
    return root


def serialise_xmp(root: ElementTree.Element) -> bytes:
    """The tree as a packet in UTF-8."""
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=False)
    return b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n' + body + b'\n<?xpacket end="w"?>'


def get_property(root: ElementTree.Element, name: str) -> str | None:
    """The text of a simple property, whether written as an element or as an attribute."""
    for description in _rdf(root).findall(DESCRIPTION):
        if name in description.attrib:
            return description.attrib[name]
        if (element := description.find(name)) is not None:
            return element.text
    return None


def set_property(root: ElementTree.Element, name: str, value: str) -> None:
    """Give a simple property one value, in place of all it had."""
    remove_properties(root, (name,))
    description = _rdf(root).find(DESCRIPTION)
    if description is None:
        description = ElementTree.SubElement(_rdf(root), DESCRIPTION, {RDF + "about": ""})
    ElementTree.SubElement(description, name).text = value


def remove_properties(root: ElementTree.Element, beginnings: tuple[str, ...]) -> None:
    """Remove every property whose name begins so."""
    for description in _rdf(root).findall(DESCRIPTION):
        for name in [name for name in description.attrib if name.startswith(beginnings)]:
            del description.attrib[name]
        for element in [element for element in description if element.tag.startswith(beginnings)]:
            description.remove(element)


def clean_xmp(packet: bytes | None) -> bytes | None:
    """The packet for upright pixels written afresh: orientation 1, nothing stale; None where there is nothing to
    read."""
    root = parse_xmp(packet)
    if not len(_rdf(root)):
        return None
    remove_properties(root, STALE)
    _remove_pictures(root)
    if get_property(root, TIFF + "Orientation") is not None:
        set_property(root, TIFF + "Orientation", "1")
    return serialise_xmp(root)


def nameless_xmp(packet: bytes | None) -> tuple[bytes | None, list[str]]:
    """The packet with nothing but how a panorama is to be shown (None where it is none), and what went, in words."""
    root, kept, gone = parse_xmp(packet), parse_xmp(None), list[str]()
    for name, value in _properties(root):
        if name.startswith(_PANORAMA) and _PANORAMA_VALUE.fullmatch(value.strip()):
            set_property(kept, name, value.strip())
        elif name not in (TIFF + "Orientation", RDF + "about"):
            gone.append(name)
    about = {
        next((word for word, parts in _WORDS if any(part in name for part in parts)), OTHER_NOTES) for name in gone
    }
    words = [word for word in (*(word for word, _ in _WORDS), OTHER_NOTES) if word in about]
    return serialise_xmp(kept) if len(_rdf(kept)) else None, words


def _properties(root: ElementTree.Element) -> list[tuple[str, str]]:
    """Names and texts of the properties; the text of one with parts is empty."""
    found: list[tuple[str, str]] = []
    for description in _rdf(root):
        found += description.attrib.items()
        found += [(element.tag, "" if len(element) else element.text or "") for element in description]
    return found


def _remove_pictures(root: ElementTree.Element) -> None:
    """Remove every property with a picture in it: thumbnails, or whatever else is written in letters without a
    space."""
    for description in _rdf(root).findall(DESCRIPTION):
        for name in [name for name, value in description.attrib.items() if _has_long_word(value)]:
            del description.attrib[name]
        for element in list(description):
            inner = list(element.iter())
            texts = [text for each in inner for text in (each.text or "", *each.attrib.values())]
            if any(each.tag.startswith(_THUMBNAILS) for each in inner) or any(map(_has_long_word, texts)):
                description.remove(element)


def _has_long_word(text: str) -> bool:
    """Whether letters go on for longer than words do; base64 comes in lines too."""
    return len(text) > _LONGEST_WORD and len(text) > 40 * (text.count(" ") + 1)


def _nesting(root: ElementTree.Element) -> int:
    """How many elements lie within each other, counted no further than one too many."""
    level, depth = [root], 0
    while level and depth <= DEEPEST:
        level, depth = [child for element in level for child in element], depth + 1
    return depth


def _rdf(root: ElementTree.Element) -> ElementTree.Element:
    """The tree's `rdf:RDF`; `parse_xmp` gives no tree without one."""
    rdf = root if root.tag == RDF + "RDF" else root.find(f".//{RDF}RDF")
    assert rdf is not None
    return rdf
