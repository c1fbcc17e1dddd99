"""A few frames of a video before and after, on a sheet, so that a long run is not begun in vain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facechange.consent import Grant
from facechange.core import FaceError, OutputError, VideoError
from facechange.faces.refine import carry_face
from facechange.images import as_picture
from facechange.images.picture import to_uint8
from facechange.provenance import check_writable, publish
from facechange.swap.assignment import IdentityAssignment, assign_identities
from facechange.swap.swapper import Swapper
from facechange.swap.video.encode import choose_encoder
from facechange.swap.video.files import VideoOptions
from facechange.swap.video.frames import Window, parse_trim, read_frames
from facechange.swap.video.pictures_in import pictures_of
from facechange.swap.video.probe import VideoProbe, inspect_video

TILE_PX = 480  # the longer side of a frame on the sheet
GAP_PX = 8


def preview_path(output: Path) -> Path:
    """Where the sheet for a result goes."""
    return output.with_name(f"{output.stem.replace('%', '')}-preview.jpg")


def publish_preview(
    swapper: Swapper,
    assignment: IdentityAssignment,
    video: Path,
    output: Path,
    frames: int,
    *,
    grant: Grant,
    options: VideoOptions,
) -> Path:
    """Publish a sheet of `frames` frames, spread over the part of `video` that would be made: before above, after
    below.

    Raises `OutputError` where the sheet would take the place of a file that is read, `VideoError` where there is no
    frame.
    """
    path = preview_path(output)
    for read in (*pictures_of(video), *assignment.sources, *options.face.likes):
        if path.exists() and path.samefile(read):
            raise OutputError(
                f"The preview would be {path}, which is one of the files to read.",
                "Choose another name for the result.",
            )
    check_writable(grant.context, path)
    probe = inspect_video(video)
    columns, marked, left = [], [], GAP_PX
    for picture in _spread_frames(video, probe, parse_trim(options.trim, probe), frames):
        try:
            chosen = swapper.choose(picture, options.face)
            identities = assign_identities(swapper, assignment, picture, chosen)
            changed = swapper.change(picture, identities, chosen.faces, options.strength, options.keep)
            image, faces = changed.image, changed.faces
        except FaceError:  # this frame has none; the sheet shows it
            image, faces = picture, []
        tiles = [_tile(picture), _tile(image)]
        marked += [carry_face(face, _tile_matrix(picture, left, GAP_PX + len(tiles[0]))) for face in faces]
        left += tiles[0].shape[1] + 2 * GAP_PX
        columns.append(
            cv2.copyMakeBorder(
                np.vstack(tiles), GAP_PX, GAP_PX, GAP_PX, GAP_PX, cv2.BORDER_CONSTANT, value=(255, 255, 255)
            )
        )
    if not columns:
        raise VideoError(
            f"{video.name} has no frame to show there.",
            "Choose a part that lies inside it; a damaged one may have none.",
        )
    sheet = as_picture(np.hstack(columns))
    return publish(sheet, path, grant=grant, card=swapper.card, sources=assignment.sources, faces=marked)


def _spread_frames(video: Path, probe: VideoProbe, window: Window, count: int) -> list[np.ndarray]:
    """`count` upright uint8 frames, evenly apart."""
    start = window.start_pts if window.start_pts is not None else probe.start_pts
    end = window.end_pts if window.end_pts is not None else start + round(probe.frames / probe.rate / probe.time_base)
    times = [start + (end - start) * (2 * part + 1) // (2 * count) for part in range(count)]
    pixel_format = choose_encoder(probe, video, "ffv1", 100, "fast").pixel_format

    def shown_from(pts: int) -> list[np.ndarray]:
        frames = read_frames(video, probe, pixel_format, replace(window, start_pts=pts))
        frame = next(frames, None)
        frames.close()
        return [] if frame is None else [to_uint8(frame.rgb)]

    # the only frame can begin before the first time
    return [frame for pts in times for frame in shown_from(pts)] or shown_from(start)


def _tile_matrix(picture: np.ndarray, left: int, top: int) -> np.ndarray:
    """From pixels of a frame to those of a sheet on which its tile lies at `left`, `top`: [2, 3]."""
    scale = TILE_PX / max(picture.shape[:2])
    return np.array([[scale, 0, left + (scale - 1) / 2], [0, scale, top + (scale - 1) / 2]])


def _tile(picture: np.ndarray) -> np.ndarray:
    scale = TILE_PX / max(picture.shape[:2])
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
