"""The drawing behind a composite: backgrounds, patch shapes, covers in front of a face, and what a camera does to it
all."""

from __future__ import annotations

import cv2
import numpy as np


def draw_background(random: np.random.Generator, photographs: list[np.ndarray], size: int) -> np.ndarray:
    """A canvas [size, size, 3] uint8: a turned, flipped, stretched part of a photograph, a mosaic of four, or a plain
    gradient."""
    chance = random.random()
    if chance < 0.06:
        corners = random.uniform(0, 255, (2, 2, 3)).astype(np.float32)
        gradient = cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)
        noise = random.normal(0, random.uniform(0, 8), gradient.shape)
        return np.clip(gradient + noise, 0, 255).astype(np.uint8)
    if chance < 0.36:
        cuts = [np.clip(int(size * random.uniform(0.2, 0.8)), 1, size - 1) for _ in range(2)]
        canvas = np.empty((size, size, 3), np.uint8)
        for rows in (slice(0, cuts[0]), slice(cuts[0], size)):
            for columns in (slice(0, cuts[1]), slice(cuts[1], size)):
                canvas[rows, columns] = draw_texture(
                    random, photographs, columns.stop - columns.start, rows.stop - rows.start
                )
        return canvas
    return draw_texture(random, photographs, size, size)


def draw_texture(random: np.random.Generator, photographs: list[np.ndarray], width: int, height: int) -> np.ndarray:
    """A random part [height, width, 3] of a random photograph, turned by quarters, flipped, stretched, with shifted
    colours."""
    photograph = photographs[random.integers(len(photographs))]
    longest = min(photograph.shape[:2])
    aspect = width / height * np.exp(random.normal(0, 0.15))
    part_height = longest * random.uniform(0.35, 1.0) * min(1.0, 1 / aspect)
    part = np.clip(np.rint([part_height, part_height * aspect]).astype(int), 2, photograph.shape[:2])
    top, left = (random.integers(0, side - used + 1) for side, used in zip(photograph.shape[:2], part, strict=True))
    texture = photograph[top : top + part[0], left : left + part[1]]
    if random.random() < 0.5:
        texture = texture[:, ::-1]
    if random.random() < 0.25:
        texture = np.rot90(texture, int(random.integers(1, 4)))
    texture = cv2.resize(np.ascontiguousarray(texture), (width, height), interpolation=cv2.INTER_LINEAR)
    return shift_colours(random, texture) if random.random() < 0.5 else texture


def shift_colours(random: np.random.Generator, image: np.ndarray, amount: float = 0.15) -> np.ndarray:
    """Random contrast, brightness and a gain a channel, by about `amount`."""
    gain = np.exp(random.normal(0, amount) + random.normal(0, amount / 3, 3))
    offset = random.normal(0, 255 * amount / 2)
    table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)[None]
    return cv2.LUT(image, np.ascontiguousarray(table))


def draw_patch_mask(random: np.random.Generator, side: int, box: np.ndarray, roll: float) -> np.ndarray:
    """What of a face picture [side, side] gets pasted: uint8 mask [side, side], 255 where opaque.

    An oval around the face, head and shoulders in a soft round, a rectangle, or all of the picture (the likelier the
    closer to upright, as in a photograph of a photograph).
    """
    mask = np.zeros((side, side), np.uint8)
    centre, size = box[:2] + box[2:] / 2, box[2:]
    chance = random.random()
    if chance < 0.25 or (chance < 0.45 and abs(roll) < 20):
        mask[:] = 255
        return mask
    if chance < 0.6:
        before, after = random.uniform(0.52, 1.0, (2, 2)) * size
        low, high = np.rint(centre - before).astype(int), np.rint(centre + after).astype(int)
        cv2.rectangle(mask, low.tolist(), high.tolist(), 255, -1)
    else:
        axes = size * random.uniform(0.5, 0.95, 2)
        cv2.ellipse(mask, np.rint(centre).astype(int).tolist(), np.rint(axes).astype(int).tolist(), 0, 0, 360, 255, -1)
    softness = random.uniform(0, 0.06) * float(max(size))
    return cv2.GaussianBlur(mask, (0, 0), softness) if softness > 0.5 else mask


def draw_cover(
    random: np.random.Generator,
    image: np.ndarray,
    box: np.ndarray,
    points: np.ndarray,
    photographs: list[np.ndarray],
    whole: bool,
) -> None:
    """Cover a part of the face in `image` in place, or all of it (`whole`), with texture or plain colour.

    Parts are what hides faces in life: dark glasses, the mouth and chin, the brow, and things in front at any side.
    """
    low, high = box[:2].copy(), box[:2] + box[2:]
    eyes, nose = points[:2].mean(0), points[2]
    chance = random.random()
    if whole:
        low, high = low - box[2:] * random.uniform(0, 0.25), high + box[2:] * random.uniform(0, 0.25)
    elif chance < 0.2:
        low[1], high[1] = eyes[1] - box[3] * 0.09, eyes[1] + box[3] * 0.09
    elif chance < 0.4:
        low[1] = nose[1] + box[3] * random.uniform(-0.02, 0.1)
    elif chance < 0.55:
        high[1] = eyes[1] - box[3] * random.uniform(0.06, 0.15)
    else:
        size = box[2:] * random.uniform(0.2, 0.55, 2)
        angle = random.uniform(0, 2 * np.pi)
        centre = (low + high) / 2 + box[2:] * random.uniform(0.2, 0.5) * np.array([np.cos(angle), np.sin(angle)])
        low, high = centre - size / 2, centre + size / 2
    x, y = np.clip(np.rint(np.stack([low, high])).astype(int), 0, image.shape[0]).T
    width, height = int(x[1] - x[0]), int(y[1] - y[0])
    if min(width, height) < 2:
        return
    cover = draw_texture(random, photographs, width, height)
    if random.random() < 0.5:
        cover[:] = (
            random.uniform(0, 255, 3)
            if random.random() < 0.5 or not whole
            else image[y[0] : y[1], x[0] : x[1]].mean((0, 1))
        )
    shape = np.zeros((height, width), np.uint8)
    if random.random() < 0.5:
        shape[:] = 255
    else:
        reach = 0.62 if whole else 0.5
        cv2.ellipse(shape, (width // 2, height // 2), (int(width * reach), int(height * reach)), 0, 0, 360, 255, -1)
    place = image[y[0] : y[1], x[0] : x[1]]
    place[shape > 0] = cover[shape > 0]


def degrade_picture(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """What cameras, light and the web do: darkness, grey, blur, coarse pixels, noise, JPEG; each now and then."""
    image = shift_colours(random, image, 0.2) if random.random() < 0.5 else image
    if random.random() < 0.25:
        table = 255 * (np.arange(256) / 255) ** np.exp(random.uniform(-0.5, 1.1))
        image = cv2.LUT(image, table.astype(np.uint8))
    if random.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if random.random() < 0.12:
        small = cv2.resize(image, None, fx=(scale := random.uniform(0.4, 0.9)), fy=scale, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.5))
    if random.random() < 0.15:
        noise = random.standard_normal(image.shape, np.float32) * random.uniform(2, 14)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.4:
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 95))])[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return image
