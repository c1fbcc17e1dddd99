"""The main job on pictures in memory: find, identify, align, change, put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facechange.core import Changed, Face, FaceError, ModelCard, Outcome
from facechange.faces.align import warp_crop
from facechange.faces.detect import LEAST_SCORE, FaceDetector
from facechange.faces.geometry import crop_rectangle, ffhq_crop_matrix
from facechange.faces.paste_back import Keep, paste_back
from facechange.faces.select import Chosen, FaceSelector, as_selector, choose_faces, left_to_right
from facechange.faces.tint import keep_tint
from facechange.images import Picture, as_picture
from facechange.images.reading import PictureLike
from facechange.provenance.marks import say_once
from facechange.runtime import Graph, load_graph
from facechange.runtime.crops import BakedIdentity, ChangedCrops, CropSwapper
from facechange.swap.likeness import FaceComparer, normalise

STRENGTH_RANGE = (0.0, 1.3)
BAKED_FACES = 8  # in one picture, of one identity: from here on folding it into the model saves more than it takes
MINIMUM_FACE_PX = 16  # below this there is nothing to align by
HIDING_SCORE = 0.5  # what counts as a face where people are hidden: to miss one is worse than to cover something else


# which place, its crop [R, R, 3] before and after => what is pasted
Adjust = Callable[[int, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Place:
    """Where a face is to be swapped: in which pixels, which are changed in place, and its points there."""

    pixels: np.ndarray  # [H, W, 3] uint8 or uint16 RGB
    points: np.ndarray  # [5, 2] px


class Swapper:
    """Changes faces in pictures; holds the graphs. Made by `load_swapper` (`facechange.load`).

    A picture is an array (uint8 or uint16 [H, W, 3] RGB), a path, a PIL image or a `Picture`.
    """

    def __init__(self, detector: FaceDetector, identity: Graph, change: Graph, recognizer: Graph | None = None) -> None:
        """`recognizer` is the second network that results are compared by."""
        self._detector = detector
        self.comparer = FaceComparer(identity, recognizer)
        self._crops = CropSwapper(change)

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
    def engine_reason(self) -> str:
        """Why that was taken, in words."""
        return self._crops.engine_reason

    @property
    def size_px(self) -> int:
        """Side of the change crop."""
        return self._crops.size_px

    def detect(self, picture: PictureLike, threshold: float | None = None, thorough: bool = False) -> list[Face]:
        """The faces of a picture that `change` takes, largest first; `threshold` and `thorough` are
        `FaceDetector.detect`'s."""
        return [face for face in self.find_all(picture, threshold, thorough) if face.size_px >= MINIMUM_FACE_PX]

    locate = detect  # what it was called in the release before

    def find_all(self, picture: PictureLike, threshold: float | None = None, thorough: bool = False) -> list[Face]:
        """`detect`, and the faces that are too small to be changed."""
        return self._detector.detect(as_picture(picture).rgb8(), threshold, thorough)

    @property
    def least_score(self) -> float:
        """The score from which on something counts as a face."""
        return self._detector.threshold

    def follow(self, image: np.ndarray, expected: list[Face]) -> list[Face]:
        """`expected` faces with the points and the score of a refinement at where they should be in `image` [H, W, 3]
        uint8."""
        return self._detector.follow(image, expected)

    @property
    def least_cosine(self) -> float:
        """The cosine of two identities from which they count as one person's."""
        return self.comparer.identity_alike

    def select(self, picture: PictureLike, selector: FaceSelector | str = "all") -> list[Face]:
        """The faces that `selector` names (`SELECTOR_HELP` says how), left to right; raises what `choose` raises."""
        return self.choose(picture, selector).faces

    def choose(self, picture: PictureLike, selection: FaceSelector | str = "all", everybody: bool = False) -> Chosen:
        """The faces that `selection` means, and which of its rules names each.

        Faces too small to change, and doubtful ones, do not count, unless `everybody` does: then they are also looked
        for thoroughly, from `HIDING_SCORE` on. Raises `FaceError` where no face is left or none is meant, and what
        reading the pictures of `like:` raises.
        """
        picture = as_picture(picture)
        found = self.find_all(picture, HIDING_SCORE, thorough=True) if everybody else self.find_all(picture)
        return self.choose_among(picture, found, selection, everybody)

    def choose_among(
        self, picture: PictureLike, found: list[Face], selection: FaceSelector | str, everybody: bool = False
    ) -> Chosen:
        """What `choose` chooses where `found` are the faces of `picture`."""
        picture, selection = as_picture(picture), as_selector(selection)
        height, width = picture.pixels.shape[:2]
        faces = left_to_right(
            [face for face in found if everybody or (face.size_px >= MINIMUM_FACE_PX and not face.doubtful)]
        )
        if found and not faces:
            _check_size(found[0])
            raise FaceError(
                "It is not clear how the face is turned.",
                "Use a picture in which more of it is seen, or turn the picture.",
            )
        cosines = {}
        if selection.likes and faces:
            identities = self.comparer.read(picture.rgb8(), faces)[0]
            cosines = {path: identities @ self.identify(path) for path in selection.likes}
        return choose_faces(faces, selection, (width, height), cosines, self.least_cosine)

    def find_source(self, source: PictureLike, face: FaceSelector | str | None = None) -> tuple[Picture, Face]:
        """A picture of a person, and the face in it that `face` names.

        Where None it is the largest face, which is said on stderr if there are others. Raises what `choose` raises.
        """
        with naming(source):
            picture = as_picture(source)
            faces = self.select(picture, face or "all")
        if face is None and len(faces) > 1:
            name = Path(source).name if isinstance(source, str | Path) else "A source picture"
            say_once(
                f"{name} shows {len(faces)} people; the largest face is taken. Choose with --source-face, or cut the picture."
            )
        return picture, max(faces, key=lambda each: each.box[2] * each.box[3])

    def identify(self, *sources: PictureLike, face: Face | FaceSelector | str | None = None) -> np.ndarray:
        """The identity of one person in one or more pictures: float32 [512] of length 1, the mean over the pictures.

        `face` chooses the face in each as `find_source` does. Raises `FaceError` where a picture has no such face, or
        only a tiny one.
        """
        return self.read(*sources, face=face)[0]

    def read(self, *sources: PictureLike, face: Face | FaceSelector | str | None = None) -> list[np.ndarray]:
        """`identify`, and after it what the second recognizer makes of the same person: [512] and [128], each of length
        1."""
        if not sources:
            raise FaceError("There is no source picture.", "Give at least one picture of the person.")
        seen = []
        for source in sources:
            if isinstance(face, Face):
                with naming(source):
                    picture, chosen = as_picture(source), _check_size(face)
            else:
                picture, chosen = self.find_source(source, face)
            seen.append(self.comparer.read(picture.rgb8(), [chosen]))
        return [normalise(np.mean(vectors, axis=0)[0]) for vectors in zip(*seen, strict=True)]

    def change(
        self,
        target: PictureLike,
        identity: np.ndarray | Sequence[np.ndarray] | BakedIdentity,
        faces: list[Face] | None = None,
        strength: float = 1.0,
        keep: Keep = "mask",
        with_masks: bool = False,
        source: np.ndarray | None = None,
        shares: Sequence[float] | None = None,
        before: list[np.ndarray] | None = None,
    ) -> Changed:
        """Give `faces` of `target` (all that are found, where None) one `identity` [512], also baked, or each its own:
        [N, 512], N of them.

        `strength` 0..1.3 goes from the target's own identity (0) to the source's (1) and beyond; `keep` is
        `paste_back`'s. With `with_masks` every control mask of every face comes along. `shares` say how much of its
        change each face takes, 0..1; all of it where None. The result is compared with the target, and with `source`,
        what the second recognizer makes of the source ([128] or [N, 128], the last of `read`), by that network alone,
        or else with `identity` by all; `before` is what all of them read of `faces` in `target`, where that is known.
        Raises `FaceError` where there is no face or one is too small, `ValueError` for a strength out of range.
        """
        check_strength(strength)
        picture = as_picture(target)
        chosen = self.select(picture) if faces is None else [_check_size(face) for face in faces]
        baked = identity if isinstance(identity, BakedIdentity) and strength == 1.0 else None
        wanted = identity.identity if isinstance(identity, BakedIdentity) else identity
        given = normalise(np.broadcast_to(wanted, (len(chosen), np.shape(wanted)[-1])))
        last_alone = source is not None and strength == 1.0
        if before is None:
            before = self.comparer.read(picture.rgb8(), chosen, last_alone)
        identities = given
        if strength != 1.0:
            identities = np.stack(
                [blend_identities(own, new, strength) for own, new in zip(before[0], given, strict=True)]
            )
        if baked is None and len(chosen) >= BAKED_FACES and np.abs(identities - identities[0]).max() == 0:
            baked = self.bake(identities[0])
        pixels = picture.pixels.copy()
        masks: list[list[np.ndarray]] = [[] for _ in chosen]
        for together in group_faces(chosen, self.size_px, pixels.shape):
            places = [Place(pixels, chosen[index].points) for index in together]
            taken = [1.0 if shares is None else shares[index] for index in together]
            own = self.swap_crops(
                places, baked or identities[together], _in_its_tint(taken), keep=keep, with_masks=with_masks, apart=True
            )
            for index, each in zip(together, own, strict=True):
                masks[index] = each
        seen = self.comparer.read(replace(picture, pixels=pixels).rgb8(), chosen, last_alone)
        return Changed(
            pixels, chosen, masks if with_masks else [], tuple(self._tell(chosen, before, seen, given, source))
        )

    def swap_crops(
        self,
        places: Sequence[Place],
        identity: np.ndarray | BakedIdentity,
        adjust: Adjust,
        *,
        keep: Keep = "mask",
        with_masks: bool = False,
        apart: bool = False,
    ) -> list[list[np.ndarray]]:
        """Warp a crop out of each of `places`, change all, and paste them back in place, what `adjust` makes of each,
        in their order.

        Every swap of a photograph, a video and a live picture is done here. `identity` and `with_masks` are
        `change_crops`'s, `keep` is `paste_back`'s. Crops that are `apart`, of which none overlaps another, are warped
        and pasted at once. Returns the masks of each.
        """
        matrices = [ffhq_crop_matrix(place.points, self.size_px) for place in places]
        with ThreadPoolExecutor() if apart and len(places) > 1 else nullcontext() as pool:
            each: Callable[..., Iterator[Any]] = map if pool is None else pool.map
            crops = list(each(lambda place, matrix: warp_crop(place.pixels, matrix, self.size_px), places, matrices))
            changed = self.change_crops(np.stack(crops), identity, with_masks)

            def paste(index: int) -> None:
                before, pixels = changed.before[index], places[index].pixels
                after = adjust(index, before, changed.after[index])
                paste_back(pixels, before, after, matrices[index], keep, changed.kept_mask(index), out=pixels)

            list(each(paste, range(len(places))))
        return changed.masks

    def change_crops(
        self, crops: np.ndarray, identity: np.ndarray | BakedIdentity, with_masks: bool = False
    ) -> ChangedCrops:
        """Give aligned `crops` the `identity`: [512] or a baked one for all of them, or [N, 512], one each.

        `crops` are [N, R, R, 3] RGB of side `size_px`, one or more, cut by `warp_crop` with `ffhq_crop_matrix`: uint8,
        uint16 or float32 in [0, 1]. What comes back fits `paste_back`; with `with_masks` every control mask comes
        along.
        """
        return self._crops.change(crops, identity, with_masks)

    @property
    def foresight(self) -> int:
        """How many batches ahead of the one at work `foresee` should be told of."""
        return 0

    def foresee(self, places: Sequence[Place], identity: np.ndarray | BakedIdentity) -> None:
        """A hint that `swap_crops` will be called with these; one that has others to do it may begin."""

    def bake(self, identity: np.ndarray) -> BakedIdentity:
        """Fold `identity` [512] into the model's weights: crops that get what comes back are changed faster."""
        return self._crops.bake(identity)

    def _tell(
        self,
        faces: list[Face],
        before: list[np.ndarray],
        after: list[np.ndarray],
        identities: np.ndarray,
        source: np.ndarray | None,
    ) -> Iterator[Outcome]:
        """What became of `faces`, of which the networks read `before` and `after`."""
        wanted, seen, was = (identities, after[0], before[0]) if source is None else (source, after[-1], before[-1])
        to_source, to_original = (seen * wanted).sum(1), (seen * was).sum(1)
        for index, cosines in enumerate(self.comparer.cosines(before, after)):
            yield Outcome(
                faces[index],
                cosines_to_original=cosines,
                cosine_to_source=float(to_source[index]),
                like_original=self.comparer.are_alike(cosines),
                recognisable=bool(to_source[index] > to_original[index]),
            )


def load_swapper(
    model: str | Path = "facechange-512",
    threads: int | None = None,
    engine: str = "auto",
    many_runs: bool = False,
    detector_threshold: float | None = None,
) -> Swapper:
    """Load the embedded graphs, with the face-change `model` of that name (`facechange-256` is quick, `facechange-1024` has
    most detail) or file.

    `threads`, `engine` and `many_runs` are `load_graph`'s, and so are the errors raised; `detector_threshold` (0..1) is
    the least score of a face where it is not to be the detector's own.
    """
    others = "auto" if engine == "pytorch" else engine  # programs are made of face-change models alone
    detector = load_detector(detector_threshold, threads, others, many_runs)
    identity, recognizer = (load_graph(name, threads, others, many_runs) for name in ("identity", "recognizer"))
    return Swapper(detector, identity, load_graph(model, threads, engine, many_runs), recognizer)


def load_detector(
    threshold: float | None = None,
    threads: int | None = None,
    engine: str = "auto",
    many_runs: bool = False,
    scout: str | Path = "scout",
) -> FaceDetector:
    """Load what finds faces, the detector and the `scout`.

    `threads`, `engine` and `many_runs` are `load_graph`'s, and so are the errors raised.
    """
    detector, scouting = (load_graph(name, threads, engine, many_runs) for name in ("detector", scout))
    return FaceDetector(detector, scouting, LEAST_SCORE if threshold is None else threshold)


@contextmanager
def naming(picture: PictureLike) -> Iterator[None]:
    """Put the file name of `picture`, where it is a path, before the message of a `FaceError`."""
    try:
        yield
    except FaceError as error:
        if not isinstance(picture, str | Path):
            raise
        raise type(error)(f"{Path(picture).name}: {error.message}", error.remedy) from None


def _check_size(face: Face) -> Face:
    if face.size_px < MINIMUM_FACE_PX:
        raise FaceError(
            f"The face is too small: {face.size_px:.0f} px, at least {MINIMUM_FACE_PX} are needed.",
            "Use a larger version of the picture.",
        )
    return face


def check_strength(strength: float) -> None:
    """Raise `ValueError` for a strength out of range."""
    if not STRENGTH_RANGE[0] <= strength <= STRENGTH_RANGE[1]:
        raise ValueError(f"strength {strength} is not between {STRENGTH_RANGE[0]} and {STRENGTH_RANGE[1]}")


def blend_identities(of_target: np.ndarray, identity: np.ndarray, strength: float) -> np.ndarray:
    """The identity [512] `strength` of the way, in `STRENGTH_RANGE`, from `of_target` [512] to `identity` [512]."""
    return normalise(of_target + strength * (identity - of_target))


def _in_its_tint(shares: Sequence[float]) -> Adjust:
    """Keep the tint of what was there, and take of each crop's change a share."""

    def adjust(index: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        after = keep_tint(before, after)
        return after if shares[index] >= 1 else before + np.float32(shares[index]) * (after - before)

    return adjust


def group_faces(faces: list[Face], size_px: int, shape: tuple[int, ...]) -> list[list[int]]:
    """Indices of `faces` in groups to change together, one group after the other.

    Crops of neighbours overlap, and each must see the last result: a face comes a group after every face before it that
    its crop of side `size_px` meets in the picture of `shape`. So the result is that of changing one face at a time.
    """
    rectangles = [crop_rectangle(ffhq_crop_matrix(face.points, size_px), size_px, shape) for face in faces]
    groups: list[list[int]] = []
    for index, rectangle in enumerate(rectangles):
        after = [
            number
            for number, group in enumerate(groups)
            if any(overlap(rectangle, rectangles[other]) for other in group)
        ]
        number = max(after, default=-1) + 1
        if number == len(groups):
            groups.append([])
        groups[number].append(index)
    return groups


def overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Whether two rectangles (left, top, right, bottom) share a pixel."""
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])
