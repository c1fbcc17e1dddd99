"""The main job on pictures in memory: find, identify, align, change, put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from facechange.change.crops import ChangedCrops, CropChanger
from facechange.core import Changed, Face, FaceError, ModelCard
from facechange.faces.align import warp_crop
from facechange.faces.geometry import crop_rectangle, ffhq_crop_matrix, identity_crop_matrix
from facechange.faces.locate import LEAST_SCORE, FaceLocator
from facechange.faces.put_back import Keep, put_back
from facechange.faces.select import select_faces
from facechange.pictures import Picture, as_picture
from facechange.pictures.reading import PictureLike
from facechange.runtime import Graph, load_graph, to_tensor

STRENGTH_RANGE = (0.0, 1.3)
MINIMUM_FACE_PX = 16  # below this there is nothing to align by
LEAST_COSINE = 0.5  # for `like:`, where the identity network's card does not say how alike different people look to it
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Changer:
    """Changes faces in pictures; holds the three graphs. Made by `load_changer` (`facechange.load`).

    A picture is an array (uint8 or uint16 [H, W, 3] RGB), a path, a PIL image or a `Picture`.
    """

    def __init__(self, locator: FaceLocator, identity: Graph, change: Graph) -> None:
        self._locator = locator
        self._identity = identity
        self._crops = CropChanger(change)

    @property
    def model(self) -> str:
        """Name and version of the face-change model, as stored with each result."""
        return f"{self._crops.card.name} {self._crops.card.version}"

    @property
    def card(self) -> ModelCard:
        """The card of the face-change model."""
        return self._crops.card

    @property
    def engine(self) -> str:
        """What runs the face-change model, for people: "OpenVINO CPU bf16"."""
        return self._crops.engine

    @property
    def size_px(self) -> int:
        """Side of the change crop."""
        return self._crops.size_px

    def locate(self, picture: PictureLike, threshold: float | None = None, thorough: bool = False) -> list[Face]:
        """The faces of a picture, largest first; `threshold` and `thorough` are `FaceLocator.locate`'s."""
        image = as_picture(picture).rgb8()
        return self._locator.locate(image) if threshold is None and not thorough else self._locator.locate(image, threshold, thorough)

    def follow(self, image: np.ndarray, expected: list[Face]) -> list[Face]:
        """`expected` faces with the points and the score of a closer look at where they should be in `image` [H, W, 3] uint8."""
        return self._locator.follow(image, expected)

    @property
    def least_cosine(self) -> float:
        """The cosine of two identities from which they count as one person's."""
        return float(self._identity.card.metrics.get("cosine_different_faces_p99", {"mean": LEAST_COSINE})["mean"])

    def select(self, picture: PictureLike, selector: str = "all") -> list[Face]:
        """The faces that `selector` names (see `select_faces`), or the one most `like:PATH`.

        Faces too small to change, and doubtful ones, do not count. Raises `FaceError` where no face is left or none is meant.
        """
        picture = as_picture(picture)
        found = self.locate(picture)
        return self.select_among(picture, found, selector)

    def select_among(self, picture: PictureLike, found: list[Face], selector: str) -> list[Face]:
        """What `select` selects where `found` are the faces of `picture`."""
        picture = as_picture(picture)
        height, width = picture.pixels.shape[:2]
        faces = [face for face in found if face.size_px >= MINIMUM_FACE_PX and not face.doubtful]
        if found and not faces:
            _check_size(found[0])
            raise FaceError("It is not clear how the face is turned.", "Use a picture in which more of it is seen, or turn the picture.")
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
        """Give `faces` of `target` (all that are found, where None) the `identity` [512], or each its own of [N, 512].

        `strength` 0..1.3 goes from the target's own identity (0) to the source's (1) and beyond; `keep` is
        `put_back`'s. With `with_masks` every control mask of every face comes along. Raises `FaceError` where there
        is no face or one is too small, `ValueError` for a strength out of range.
        """
        check_strength(strength)
        picture = as_picture(target)
        chosen = self.select(picture) if faces is None else [_check_size(face) for face in faces]
        given = [_normalise(own) for own in np.broadcast_to(identity, (len(chosen), np.shape(identity)[-1]))]
        if strength == 1.0:
            identities = given
        else:
            identities = [self._blend(picture, face, own, strength) for face, own in zip(chosen, given, strict=True)]
        pixels = picture.pixels.copy()
        masks: list[list[np.ndarray]] = [[] for _ in chosen]
        for together in group_faces(chosen, self.size_px, pixels.shape):
            matrices = [ffhq_crop_matrix(chosen[index].points, self.size_px) for index in together]
            crops = np.stack([warp_crop(pixels, matrix, self.size_px) for matrix in matrices])
            changed = self.change_crops(crops, np.stack([identities[index] for index in together]), with_masks)
            for number, (index, matrix) in enumerate(zip(together, matrices, strict=True)):
                after = _to_grey(changed.after[number]) if picture.grey else changed.after[number]
                put_back(pixels, changed.before[number], after, matrix, keep, changed.kept_mask(number), out=pixels)
                masks[index] = changed.masks[number]
        return Changed(pixels, chosen, masks if with_masks else [])

    def change_crops(self, crops: np.ndarray, identity: np.ndarray, with_masks: bool = False) -> ChangedCrops:
        """Give aligned `crops` the `identity`: [512] for all of them or [N, 512], one each.

        `crops` are [N, R, R, 3] RGB of side `size_px`, one or more, cut by `warp_crop` with `ffhq_crop_matrix`: uint8, uint16
        or float32 in [0, 1]. What comes back fits `put_back`; with `with_masks` every control mask comes along.
        """
        return self._crops.change(crops, identity, with_masks)

    def bake(self, identity: np.ndarray) -> None:
        """Fold `identity` [512] into the model's weights: crops that get this identity from now on are changed faster.

        The last identity baked is kept, and only in memory, because it is biometric.
        """
        self._crops.bake(identity)

    def _blend(self, picture: Picture, face: Face, identity: np.ndarray, strength: float) -> np.ndarray:
        """The identity [512] `strength` of the way from that of `face` to `identity`."""
        return blend_identities(self._identify_face(picture.rgb8(), face), identity, strength)

    def _identify_face(self, image: np.ndarray, face: Face) -> np.ndarray:
        crop = warp_crop(image, identity_crop_matrix(face.points), 112)
        return _normalise(self._identity.run({"crop": to_tensor(crop)}, ["identity"])["identity"][0])

    def _most_like(self, picture: Picture, faces: list[Face], reference: Path) -> Face:
        wanted = self.identify(reference)
        cosines = [float(self._identify_face(picture.rgb8(), face) @ wanted) for face in faces]
        best = int(np.argmax(cosines))
        if cosines[best] < self.least_cosine:
            raise FaceError(f"No face is like the one in {reference.name}.", "Choose it by number, or use another picture of the person.")
        return faces[best]


def load_changer(
    model: str | Path = "change-large",
    threads: int | None = None,
    engine: str = "auto",
    many_runs: bool = False,
    detector_threshold: float | None = None,
) -> Changer:
    """Load the embedded graphs, with the face-change `model` of that name (`change` is quick, `change-largest` has most detail) or file.

    `threads`, `engine` and `many_runs` are `load_graph`'s, and so are the errors raised; `detector_threshold` (0..1) is the
    least score of a face where it is not to be the locator's own.
    """
    others = "auto" if engine == "pytorch" else engine  # programs are made of face-change models alone
    locator = load_locator(detector_threshold, threads, others, many_runs)
    identity = load_graph("identity", threads, others, many_runs)
    return Changer(locator, identity, load_graph(model, threads, engine, many_runs))


def load_locator(
    threshold: float | None = None, threads: int | None = None, engine: str = "auto", many_runs: bool = False, scout: str | Path = "locator"
) -> FaceLocator:
    """Load what finds faces, the detector and the `scout`.

    `threads`, `engine` and `many_runs` are `load_graph`'s, and so are the errors raised.
    """
    detector, scouting = (load_graph(name, threads, engine, many_runs) for name in ("detector", scout))
    return FaceLocator(detector, scouting, LEAST_SCORE if threshold is None else threshold)


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


def check_strength(strength: float) -> None:
    """Raise `ValueError` for a strength out of range."""
    if not STRENGTH_RANGE[0] <= strength <= STRENGTH_RANGE[1]:
        raise ValueError(f"strength {strength} is not between {STRENGTH_RANGE[0]} and {STRENGTH_RANGE[1]}")


def blend_identities(of_target: np.ndarray, identity: np.ndarray, strength: float) -> np.ndarray:
    """The identity [512] `strength` of the way, in `STRENGTH_RANGE`, from `of_target` [512] to `identity` [512]."""
    return _normalise(of_target + strength * (identity - of_target))


def _normalise(vector: np.ndarray) -> np.ndarray:
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)


def group_faces(faces: list[Face], size_px: int, shape: tuple[int, ...]) -> list[list[int]]:
    """Indices of `faces` in groups to change together, one group after the other.

    Crops of neighbours overlap, and each must see the last result: a face comes a group after every face before it that
    its crop of side `size_px` meets in the picture of `shape`. So the result is that of changing one face at a time.
    """
    rectangles = [crop_rectangle(ffhq_crop_matrix(face.points, size_px), size_px, shape) for face in faces]
    groups: list[list[int]] = []
    for index, rectangle in enumerate(rectangles):
        after = [number for number, group in enumerate(groups) if any(_overlap(rectangle, rectangles[other]) for other in group)]
        number = max(after, default=-1) + 1
        if number == len(groups):
            groups.append([])
        groups[number].append(index)
    return groups


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Whether two rectangles (left, top, right, bottom) share a pixel."""
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])


def _to_grey(image: np.ndarray) -> np.ndarray:
    return np.repeat((image @ _LUMA)[..., None], 3, axis=2)
