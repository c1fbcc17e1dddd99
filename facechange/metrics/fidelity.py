"""What a change must keep: everything outside the face, and of the face light, colour and lines (Fig. 7 of the patent),
in one crop.

Crops are uint8 [R, R, 3] RGB; `landmarks68` [68, 2] are the target's, in pixels of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facechange.core.errors import DependencyError, ModelError
from facechange.faces.geometry import hull_mask
from facechange.metrics.metric import HIGHER, LOWER, ONE, Metric, metric

CEILING_DB = 100.0  # PSNR of equal pictures, so that means stay finite
SSIM_SIGMA_PX = 1.5
FEATURES = (slice(17, 22), slice(22, 27), slice(36, 42), slice(42, 48), slice(48, 60))  # brows, eyes, mouth
COLOUR_BLUR = 1 / 64  # of the side: finer than the shade of a nose, coarser than its pores
WRINKLES = (1 / 256, 1 / 64)  # of the side: finer is noise, coarser is light
LEAST_DETAIL = 0.5  # luma levels; a flat target has no detail to keep
# of the mouth's or the eye's width between lips or lids: less shows too little
TEETH_LEAST_OPENING, EYE_LEAST_OPENING = 0.12, 0.18
# of the open mouth and of the eye: teeth, not the gap; white, with a spark of light in both
TEETH_BRIGHTEST, EYE_BRIGHTEST = 0.4, 0.3
LEAST_PIXELS = 12
LEAST_SPREAD = 1.0  # CIELAB units; no face is told apart by less
ODD_SHARE, ROUNDS = 0.1, 3  # of the unchanged faces, in light from one side say, the oddest do not tell what is natural
REACH = 0.14  # eye distances that a socket goes below the eye's lower lid
# The viewer's left side and right side among the 68: brow, eye, and outline and mouth corner beside the cheek.
SIDES = ((slice(17, 22), slice(36, 42), 2, 48), (slice(22, 27), slice(42, 48), 14, 54))


def psnr_crop(changed: np.ndarray, target: np.ndarray, where: np.ndarray | None = None) -> float:
    """PSNR in dB of two uint8 [H, W, 3] crops over all channels, peak 255; at most `CEILING_DB`.

    Only pixels where `where` [H, W] is not 0 count; it must keep at least one.
    """
    difference = changed.astype(np.float64) - target.astype(np.float64)
    if where is not None:
        difference = difference[where.astype(bool)]
    error = float(np.mean(difference**2))
    return CEILING_DB if error == 0 else min(CEILING_DB, 10 * np.log10(255.0**2 / error))


def ssim_crop(changed: np.ndarray, target: np.ndarray, where: np.ndarray | None = None) -> float:
    """SSIM (Wang et al. 2004, Gaussian window of 1.5 px) of the luma of two uint8 [H, W, 3] crops: 1 where they are
    equal.

    Only pixels where `where` [H, W] is not 0 count; it must keep at least one.
    """
    first, second = (cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) for crop in (changed, target))
    first_mean, second_mean = _blur(first), _blur(second)
    first_variance = _blur(first * first) - first_mean**2
    second_variance = _blur(second * second) - second_mean**2
    covariance = _blur(first * second) - first_mean * second_mean
    steady_mean, steady_variance = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * first_mean * second_mean + steady_mean) * (2 * covariance + steady_variance)
    likeness /= (first_mean**2 + second_mean**2 + steady_mean) * (first_variance + second_variance + steady_variance)
    return float(likeness.mean() if where is None else likeness[where.astype(bool)].mean())


def _blur(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (11, 11), SSIM_SIGMA_PX, borderType=cv2.BORDER_REFLECT)


psnr_self_crop = Metric(
    "psnr_self_crop", "dB", HIGHER, "each face changed by its own identity; PSNR of the whole change crop", psnr_crop
)
ssim_self_crop = Metric(
    "ssim_self_crop", "SSIM", HIGHER, "each face changed by its own identity; SSIM of the whole change crop", ssim_crop
)


@metric("dB", HIGHER, "pairs; PSNR of the change crop outside the convex hull of the target's 68 landmarks")
def psnr_outside_hull68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """PSNR in dB of uint8 [R, R, 3] crops outside the hull of `landmarks68` [68, 2], given in crop pixels.

    The hull ends at the eyebrows: the forehead counts as outside.
    """
    return psnr_crop(changed, target, 1 - hull_mask(landmarks68, target.shape[0]))


@metric("SSIM", HIGHER, "pairs; SSIM of the change crop outside the convex hull of the target's 68 landmarks")
def ssim_outside_hull68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """SSIM of uint8 [R, R, 3] crops outside the hull of `landmarks68` [68, 2], given in crop pixels."""
    return ssim_crop(changed, target, 1 - hull_mask(landmarks68, target.shape[0]))


def skin_mask68(landmarks68: np.ndarray, size: int) -> np.ndarray:
    """1 on the skin of a face: the hull of `landmarks68` [68, 2] without brows, eyes and mouth; uint8 [size, size]."""
    skin = hull_mask(landmarks68, size)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (size // 64) + 1,) * 2)
    for feature in FEATURES:
        skin[cv2.dilate(hull_mask(landmarks68[feature], size), around) > 0] = 0
    return skin


@metric("levels of 255", LOWER, "pairs; difference of the mean luma inside the hull without brows, eyes and mouth")
def skin_brightness_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Difference of the mean luma (0..255, ITU-R BT.601) of the skin in two uint8 [R, R, 3] crops, without its sign."""
    skin = skin_mask68(landmarks68, target.shape[0])
    after, before = (cv2.mean(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), skin)[0] for crop in (changed, target))
    return abs(after - before)


@metric(
    "CIELAB",
    LOWER,
    "pairs; mean distance in CIELAB's (a*, b*) on the same skin, both crops blurred with a deviation of a 64th of their side",
)
def skin_colour_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Mean distance in CIELAB's (a*, b*) between two blurred uint8 [R, R, 3] crops, pixel by pixel over the target's
    skin."""
    size = target.shape[0]
    after, before = (
        cv2.GaussianBlur(crop.astype(np.float32) / 255, (0, 0), size * COLOUR_BLUR) for crop in (changed, target)
    )
    moved = cv2.cvtColor(after, cv2.COLOR_RGB2LAB)[..., 1:] - cv2.cvtColor(before, cv2.COLOR_RGB2LAB)[..., 1:]
    return cv2.mean(np.hypot(moved[..., 0], moved[..., 1]), skin_mask68(landmarks68, size))[0]


@metric(
    "correlation",
    HIGHER,
    "pairs; correlation of the luma's detail between a 256th and a 64th of the side with the target's, on the skin inside the hull",
)
def wrinkle_correlation_skin68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Correlation of the luma of two uint8 [R, R, 3] crops between two blurs, on the skin; 1 is every line kept, 0
    none.

    The skin is the hull of the target's `landmarks68` [68, 2] without brows, eyes and mouth.
    """
    skin = skin_mask68(landmarks68, target.shape[0]) > 0
    after, before = (_wrinkles(crop)[skin] for crop in (changed, target))
    after, before = after - after.mean(), before - before.mean()
    return float((after * before).sum() / max(float(np.linalg.norm(after) * np.linalg.norm(before)), 1e-9))


def _wrinkles(crop: np.ndarray) -> np.ndarray:
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(luma, (0, 0), crop.shape[0] * share) for share in WRINKLES)
    return fine - coarse


@metric(
    "ratio",
    ONE,
    "pairs; deviation of the Laplacian inside the hull, the result's over the target's, at the model's resolution",
)
def sharpness_ratio_hull68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Detail of the changed face over the target's, inside the hull of `landmarks68` [68, 2]; 1 is as sharp, less is
    softer.

    Detail is the standard deviation of the luma's Laplacian in uint8 [R, R, 3] crops.
    """
    inside = cv2.erode(hull_mask(landmarks68, target.shape[0]), np.ones((3, 3), np.uint8)).astype(bool)
    after, before = (_detail(crop)[inside].std() for crop in (changed, target))
    return float(after / max(before, LEAST_DETAIL))


def _detail(crop: np.ndarray) -> np.ndarray:
    return cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F)


@dataclass(frozen=True)
class NaturalSpread:
    """Median [12] and covariance [12, 12] of `measure_regions` among unchanged faces."""

    median: np.ndarray
    covariance: np.ndarray

    def measure(self, regions: np.ndarray) -> np.ndarray:
        """How far `regions` [..., 4, 3] are from the median, in spreads: the root mean square of their whitened parts,
        [...]."""
        departures = regions.reshape(*regions.shape[:-2], -1) - self.median
        whitened = np.linalg.solve(np.linalg.cholesky(self.covariance), departures[..., None])[..., 0]
        return np.sqrt((whitened**2).mean(-1))


def measure_regions(crop: np.ndarray, landmarks68: np.ndarray) -> np.ndarray:
    """CIELAB of brow and eye socket on the viewer's left, then right, less that of the cheek on that side: [4, 3].

    `crop` is uint8 [R, R, 3], `landmarks68` [68, 2] in its pixels. Medians, so that hairs and lights do not count.
    """
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    sides = face_regions(landmarks68, crop.shape[0])
    return np.array(
        [_median(lab, region) - _median(lab, cheek) for brow, socket, cheek in sides for region in (brow, socket)]
    )


def face_regions(landmarks68: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Brow, eye socket without the eye, and cheek, of the viewer's left side and then of the right: uint8 [size, size]
    masks."""
    eyes_px = float(np.linalg.norm(landmarks68[36:42].mean(0) - landmarks68[42:48].mean(0)))
    down = landmarks68[48:60].mean(0) - landmarks68[36:48].mean(0)
    down /= max(float(np.linalg.norm(down)), 1e-9)
    regions = []
    for brow_rows, eye_rows, outline, mouth in SIDES:
        brow, eye = landmarks68[brow_rows], landmarks68[eye_rows]
        brow_mask = _thicken(_line_mask(brow, size), eyes_px * 0.05)
        socket = hull_mask(np.concatenate([brow, eye, eye + down * eyes_px * REACH]), size)
        socket[(_thicken(hull_mask(eye, size), eyes_px * 0.04) | brow_mask) > 0] = 0
        middle = 0.5 * eye.mean(0) + 0.35 * landmarks68[mouth] + 0.15 * landmarks68[outline]
        cheek = cv2.circle(
            np.zeros((size, size), np.uint8), tuple(map(int, np.rint(middle))), max(1, round(eyes_px * 0.14)), 1, -1
        )
        regions.append((brow_mask, socket, cheek))
    return regions


def natural_spread(regions: np.ndarray) -> NaturalSpread:
    """What is natural, by `measure_regions` of F >= 2 unchanged faces [F, 4, 3], the oddest left out."""
    rows = regions.reshape(len(regions), -1)
    kept = np.ones(len(rows), bool)
    for _ in range(ROUNDS):
        median = np.median(rows[kept], axis=0)
        departures = rows[kept] - median
        natural = NaturalSpread(
            median, departures.T @ departures / kept.sum() + LEAST_SPREAD**2 * np.eye(rows.shape[1])
        )
        distances = natural.measure(regions)
        kept = distances <= np.quantile(distances, 1 - ODD_SHARE)
    return natural


@metric(
    "spreads",
    LOWER,
    "pairs; how far brows and eye sockets depart in CIELAB from the cheek on their side, in spreads of the same "
    "(12 numbers and how they go together) among the unchanged faces of the set",
)
def natural_evenness68(changed: np.ndarray, landmarks68: np.ndarray, natural: NaturalSpread) -> float:
    """How far brows and eye sockets are from natural, in spreads: about 1 in unchanged faces.

    `changed` is uint8 [R, R, 3], with the target's `landmarks68` [68, 2].
    """
    return float(natural.measure(measure_regions(changed, landmarks68)))


def _median(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    inside = lab[mask > 0]
    return np.median(inside, axis=0) if len(inside) else np.zeros(3)


def _line_mask(points: np.ndarray, size: int) -> np.ndarray:
    return cv2.polylines(np.zeros((size, size), np.uint8), [np.rint(points).astype(np.int32)], False, 1)


def _thicken(mask: np.ndarray, reach_px: float) -> np.ndarray:
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(reach_px)) + 1,) * 2))


@metric(
    "CIELAB",
    LOWER,
    "pairs whose target has an open mouth; distance in CIELAB of the brightest two fifths of the open mouth",
)
def teeth_colour_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Distance in CIELAB between the teeth of two uint8 [R, R, 3] crops; NaN where the target's mouth is shut.

    Teeth are taken for the brightest part of what lies between the lips by the target's `landmarks68` [68, 2], of each
    crop its own.
    """
    width = float(np.linalg.norm(landmarks68[54] - landmarks68[48]))
    opening = float(np.linalg.norm(landmarks68[[65, 66, 67]].mean(0) - landmarks68[[61, 62, 63]].mean(0)))
    inside = hull_mask(landmarks68[60:68], target.shape[0]) > 0
    if opening < TEETH_LEAST_OPENING * width or inside.sum() < LEAST_PIXELS / TEETH_BRIGHTEST:
        return float("nan")
    return float(
        np.linalg.norm(
            _brightest_lab(changed, inside, TEETH_BRIGHTEST) - _brightest_lab(target, inside, TEETH_BRIGHTEST)
        )
    )


@metric(
    "CIELAB",
    LOWER,
    "pairs whose target has open eyes; distance in CIELAB of the brightest three tenths of the eyes",
)
def eye_white_colour_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Distance in CIELAB between the eye whites of two uint8 [R, R, 3] crops, the mean of both eyes; NaN where both are
    shut.

    The white is taken for the brightest part of an eye by the target's `landmarks68` [68, 2], of each crop its own.
    """
    distances = []
    for eye in (landmarks68[36:42], landmarks68[42:48]):
        opening = np.linalg.norm(eye[[4, 5]].mean(0) - eye[[1, 2]].mean(0)) / max(
            float(np.linalg.norm(eye[3] - eye[0])), 1e-9
        )
        inside = hull_mask(eye, target.shape[0]) > 0
        if opening >= EYE_LEAST_OPENING and inside.sum() >= LEAST_PIXELS / EYE_BRIGHTEST:
            distances.append(
                np.linalg.norm(
                    _brightest_lab(changed, inside, EYE_BRIGHTEST) - _brightest_lab(target, inside, EYE_BRIGHTEST)
                )
            )
    return float(np.mean(distances)) if distances else float("nan")


def _brightest_lab(crop: np.ndarray, where: np.ndarray, share: float) -> np.ndarray:
    """Mean CIELAB [3] of the brightest `share` of the pixels `where` (bool [R, R]) of a uint8 [R, R, 3] crop."""
    pixels = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[where]
    return pixels[np.argsort(pixels[:, 0])[-max(1, round(share * len(pixels))) :]].mean(0)


def to_grey(crop: np.ndarray) -> np.ndarray:
    """`crop` uint8 [R, R, 3] without its colour: luma three times."""
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


@metric(
    "CIELAB",
    LOWER,
    "every fourth pair, its target made grey; mean chroma of the model's crop in CIELAB, "
    "before the tint is kept as users' pictures have it",
)
def chroma_grey_crop(changed: np.ndarray) -> float:
    """Mean chroma in CIELAB of a uint8 [R, R, 3] crop whose target was grey; 0 is right."""
    lab, grey = (cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for crop in (changed, to_grey(changed)))
    colour = lab[..., 1:] - grey[..., 1:]  # OpenCV's conversion gives grey a trace of colour too
    return float(np.hypot(colour[..., 0], colour[..., 1]).mean())


@metric("dB", HIGHER, "pairs with a thing put before 6 to 30 % of the target's face; PSNR on its pixels")
def psnr_occluder(changed: np.ndarray, covered: np.ndarray, occluder: np.ndarray) -> float:
    """PSNR in dB of a changed crop and its `covered` target, uint8 [R, R, 3], on the pixels of the `occluder` (uint8
    [R, R])."""
    return psnr_crop(changed, covered, occluder)


def need_fid() -> None:
    """Raise `DependencyError` unless torch-fidelity can be imported."""
    try:
        import torch_fidelity  # noqa: F401  what it needs itself may be missing too
    except (ImportError, RuntimeError) as error:  # the latter from a torchvision made for another PyTorch
        raise DependencyError(
            f"FID needs the packages torch-fidelity and torchvision, and one cannot be used ({error}).",
            "Install them for your PyTorch with: pip install torch-fidelity torchvision",
        ) from None


def fid_inception(changed: Path, real: Path, weights: Path | None = None) -> float:
    """FID (Heusel et al. 2017) of the pictures in two folders, at least two in each.

    `weights` is the file of Inception's weights for torch-fidelity, which fetches them itself where it is None. Raises
    `DependencyError` without the package and `ModelError` where the weights cannot be had.
    """
    need_fid()
    from torch_fidelity import calculate_metrics

    try:
        measured = calculate_metrics(
            input1=str(changed),
            input2=str(real),
            fid=True,
            cuda=False,
            verbose=False,
            feature_extractor_weights_path=None if weights is None else str(weights),
        )
    except Exception as error:  # whatever the network, the file or PyTorch raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"Inception's weights could not be used ({reason}).", "Give their file to --inception, or leave --fid out."
        ) from None
    return float(measured["frechet_inception_distance"])


fid_inception_pairs = Metric(
    "fid_inception_pairs",
    "distance²",
    LOWER,
    "FID of changed crops to source crops by torch-fidelity; on request, where its package and weights are at hand",
    fid_inception,
)
fid_inception_pairs_source_pasted = Metric(
    "fid_inception_pairs_source_pasted", "distance²", LOWER, "the same of crops with the source pasted", fid_inception
)

OUTSIDE_HULL = (psnr_outside_hull68, ssim_outside_hull68)
INSIDE_HULL = (
    skin_brightness_difference68,
    skin_colour_difference68,
    wrinkle_correlation_skin68,
    sharpness_ratio_hull68,
    teeth_colour_difference68,
    eye_white_colour_difference68,
)
FIDELITY = (  # in the order of the tables
    psnr_self_crop,
    ssim_self_crop,
    *OUTSIDE_HULL,
    *INSIDE_HULL[:4],
    natural_evenness68,
    *INSIDE_HULL[4:],
    chroma_grey_crop,
    psnr_occluder,
    fid_inception_pairs,
    fid_inception_pairs_source_pasted,
)
