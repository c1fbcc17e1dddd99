"""The main job on pictures in memory: find, identify, align, change, put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from facechange.core import Changed, Face, FaceError, ModelError
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix, identity_crop_matrix
from facechange.faces.locate import FaceLocator
from facechange.faces.put_back import Keep, put_back
from facechange.faces.select import select_faces
from facechange.pictures import Picture, as_picture
from facechange.pictures.reading import PictureLike
from facechange.runtime import Graph, load_graph, to_tensor, to_unit_range

STRENGTH_RANGE = (0.0, 1.3)
MINIMUM_FACE_PX = 16  # below this there is nothing to align by
LEAST_COSINE = 0.5  # for `like:`, where the identity network's card does not say how alike different people look to it
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Changer:
    """Changes faces in pictures; holds the three graphs. Made by `load_changer` (`facechange.load`).

    A picture is an array (uint8 or uint16 [H, W, 3] RGB), a path, a PIL image or a `Picture`.
    """

    def __init__(self, locator: FaceLocator, identity: Graph, change: Graph) -> None:
        if "changed" not in change.output_names or change.card.size_px <= 0:
            raise ModelError(f"{change.card.name} is not a face-change model.", "Give a graph written by facechange export.")
        self._locator = locator
        self._identity = identity
        self._change = change
        self._mask_names = _coarse_to_fine(change.output_names)

    @property
    def model(self) -> str:
        """Name and version of the face-change model, as stored with each result."""
        return f"{self._change.card.name} {self._change.card.version}"

    def locate(self, picture: PictureLike) -> list[Face]:
        """The faces of a picture, largest first."""
        return self._locator.locate(as_picture(picture).rgb8())

    def select(self, picture: PictureLike, selector: str = "all") -> list[Face]:
        """The faces that `selector` names (see `select_faces`), or the one most `like:PATH`.

        Faces too small to change do not count. Raises `FaceError` where no face is left or none is meant.
        """
        picture = as_picture(picture)
        height, width = picture.pixels.shape[:2]
        found = self.locate(picture)
        faces = [face for face in found if face.size_px >= MINIMUM_FACE_PX]
        if found and not faces:
            _check_size(found[0])
        if not selector.startswith("like:"):
            return select_faces(faces, selector, (width, height))
        return [self._most_like(picture, select_faces(faces, "all", (width, height)), Path(selector.removeprefix("like:")))]

    def identify(self, *sources: PictureLike, face: Face | str = "largest") -> np.ndarray:
        """The identity of one person in one or more pictures: float32 [512] of length 1, the mean over the pictures.

        `face` chooses the face in each. Raises `FaceError` where a picture has no such face, or only a tiny one.
        """
        if not sources:
            raise FaceError("There is no source picture.", "Give at least one picture of the person.")
        identities = []
        for source in sources:
            with naming(source):
                picture = as_picture(source)
                chosen = face if isinstance(face, Face) else self.select(picture, face)[0]
                identities.append(self._identify_face(picture.rgb8(), _check_size(chosen)))
        return _normalise(np.mean(identities, axis=0))

    def change(
        self,
        target: PictureLike,
        identity: np.ndarray,
        faces: list[Face] | None = None,
        strength: float = 1.0,
        keep: Keep = "mask",
        with_masks: bool = False,
    ) -> Changed:
        """Give `faces` of `target` (all that are found, where None) the `identity` [512].

        `strength` 0..1.3 goes from the target's own identity (0) to the source's (1) and beyond; `keep` is
        `put_back`'s. With `with_masks` every control mask of every face comes along. Raises `FaceError` where there
        is no face or one is too small, `ValueError` for a strength out of range.
        """
        if not STRENGTH_RANGE[0] <= strength <= STRENGTH_RANGE[1]:
            raise ValueError(f"strength {strength} is not between {STRENGTH_RANGE[0]} and {STRENGTH_RANGE[1]}")
        picture = as_picture(target)
        chosen = self.select(picture) if faces is None else [_check_size(face) for face in faces]
        pixels, masks = picture.pixels, []
        for face in chosen:  # one after the other: crops of neighbours overlap, and each must see the last result
            own = _normalise(identity)
            if strength != 1.0:
                of_target = self._identify_face(picture.rgb8(), face)
                own = _normalise(of_target + strength * (own - of_target))
            pixels, face_masks = self._change_face(pixels, face, own, keep, picture.grey, with_masks)
            masks.append(face_masks)
        return Changed(pixels, chosen, masks if with_masks else [])

    def _change_face(
        self, pixels: np.ndarray, face: Face, identity: np.ndarray, keep: Keep, grey: bool, with_masks: bool
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        size = self._change.card.size_px
        matrix = ffhq_crop_matrix(face.points, size)
        crop = to_tensor(warp_crop(pixels, matrix, size))  # [1, 3, R, R]
        wanted_masks = self._mask_names if with_masks else self._mask_names[-1:]
        outputs = self._change.run({"target": crop, "identity": identity[None]}, ["changed", *wanted_masks])
        after = to_unit_range(outputs["changed"])
        if grey:
            after = np.repeat((after @ _LUMA)[..., None], 3, axis=2)
        masks = [outputs[name][0, 0] for name in wanted_masks]
        return put_back(pixels, to_unit_range(crop), after, matrix, keep, masks[-1] if masks else None), masks

    def _identify_face(self, image: np.ndarray, face: Face) -> np.ndarray:
        crop = warp_crop(image, identity_crop_matrix(face.points), 112)
        return _normalise(self._identity.run({"crop": to_tensor(crop)}, ["identity"])["identity"][0])

    def _most_like(self, picture: Picture, faces: list[Face], reference: Path) -> Face:
        wanted = self.identify(reference)
        cosines = [float(self._identify_face(picture.rgb8(), face) @ wanted) for face in faces]
        best = int(np.argmax(cosines))
        measured = self._identity.card.metrics.get("cosine_different_faces_p99", {"mean": LEAST_COSINE})
        if cosines[best] < measured["mean"]:
            raise FaceError(f"No face is like the one in {reference.name}.", "Choose it by number, or use another picture of the person.")
        return faces[best]


def load_changer(model: str | Path | None = None, threads: int | None = None) -> Changer:
    """Load the embedded graphs, or another face-change `model` (an .onnx file with its card); raises `ModelError`."""
    locator, identity = load_graph("locator", threads), load_graph("identity", threads)
    return Changer(FaceLocator(locator), identity, load_graph("change" if model is None else model, threads))


@contextmanager
def naming(picture: PictureLike) -> Iterator[None]:
    """Put the file name of `picture`, where it is a path, before the message of a `FaceError`."""
    try:
        yield
    except FaceError as error:
        if not isinstance(picture, str | Path):
            raise
        raise FaceError(f"{Path(picture).name}: {error.message}", error.remedy) from None


def _check_size(face: Face) -> Face:
    if face.size_px < MINIMUM_FACE_PX:
        raise FaceError(
            f"The face is too small: {face.size_px:.0f} px, at least {MINIMUM_FACE_PX} are needed.", "Use a larger version of the picture."
        )
    return face


def _normalise(vector: np.ndarray) -> np.ndarray:
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)


def _coarse_to_fine(output_names: list[str]) -> list[str]:
    """The mask outputs (`mask_MEASURE_LAYER`) in the order in which the generator makes them."""
    masks = [name for name in output_names if name.startswith("mask_")]
    return sorted(masks, key=lambda name: tuple(int(part) for part in name.split("_")[1:]))
