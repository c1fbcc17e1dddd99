"""Pictures as people have them: read any common file into pixels and metadata, and turn them into bytes again."""

from facechange.images.nameless import without_names
from facechange.images.picture import JpegSettings, Picture
from facechange.images.reading import PictureLike, as_picture, read_picture, read_xmp
from facechange.images.writing import WRITABLE_SUFFIXES, encode_picture

__all__ = [
    "WRITABLE_SUFFIXES",
    "JpegSettings",
    "Picture",
    "PictureLike",
    "as_picture",
    "encode_picture",
    "read_picture",
    "read_xmp",
    "without_names",
]
