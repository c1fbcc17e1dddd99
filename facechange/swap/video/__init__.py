"""Videos, end to end. Needs PyAV, the extra `video`."""

from facechange.swap.video.files import (
    FacelessVideoError,
    PublishedVideo,
    VideoOptions,
    change_video,
    request_video_change,
)
from facechange.swap.video.preview import publish_preview

__all__ = [
    "FacelessVideoError",
    "PublishedVideo",
    "VideoOptions",
    "change_video",
    "publish_preview",
    "request_video_change",
]
