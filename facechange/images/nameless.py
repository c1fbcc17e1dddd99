"""Take away what names people or places: of a picture's metadata only what is known to be harmless is kept, all else
goes.

Kept are orientation, colour profile, resolution, how the photograph was taken in numbers, and how a panorama is to be
shown. Dates go too: together with a place that the picture shows, a time tells who was there.
"""

from __future__ import annotations

from dataclasses import replace

from facechange.images.exif import OTHER_NOTES, nameless_exif
from facechange.images.icc import nameless_icc
from facechange.images.picture import Picture
from facechange.images.xmp import nameless_xmp


def without_names(picture: Picture) -> tuple[Picture, tuple[str, ...]]:
    """`picture` with harmless metadata alone, and what its file said besides, in words such as "places"; () where it
    said nothing.

    The pixels stay: a name on a sign is not seen.
    """
    exif, words = nameless_exif(picture.exif) if picture.exif else (None, [])
    xmp, more = nameless_xmp(picture.xmp)
    icc = None if picture.icc is None else nameless_icc(picture.icc)
    taken = sorted(dict.fromkeys((*words, *more, *picture.left_behind)), key=lambda word: word == OTHER_NOTES)
    return replace(picture, exif=exif, xmp=xmp, icc=icc, left_behind=()), tuple(taken)
