"""Channel tables: how wide the networks are at each resolution."""

from __future__ import annotations

from dataclasses import dataclass

from facechange.core import ModelError

RESOLUTIONS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
SIZES_PX = (64, 128, 256, 512, 1024)
IDENTITY_CHANNELS = 512

ChannelTable = dict[int, int]  # channels at each resolution, in pixels, coarse to fine


@dataclass(frozen=True)
class Preset:
    """Channels at 4, 8, ..., 1024 pixels; a network of a smaller size uses the coarse end of each row."""

    name: str
    swapper: tuple[int, ...]  # the generator's blocks and, equally wide, the attribute network's levels
    discriminator: tuple[int, ...]

    def swapper_channels(self, size_px: int) -> ChannelTable:
        """Channels of the generator and the attribute network for pictures of `size_px`; raises `ModelError`."""
        return _cut_table(self.swapper, size_px)

    def discriminator_channels(self, size_px: int, window_px: int | None = None) -> ChannelTable:
        """Channels of the discriminator for pictures of `size_px`, or for windows of them, as wide as there; raises
        `ModelError`."""
        channels = _cut_table(self.discriminator, size_px)
        shrink = size_px // (window_px or size_px)
        return {px // shrink: count for px, count in channels.items() if px // shrink >= RESOLUTIONS[0]}


# fmt: off
_TABLE = (
    Preset("tiny",  (16, 16, 16, 16, 8, 8, 8, 8, 8),           (16, 16, 16, 16, 8, 8, 8, 8, 8)),
    Preset("small", (160, 160, 160, 128, 64, 32, 16, 12, 8),   (160, 160, 160, 128, 64, 24, 16, 12, 8)),
    Preset("mid",   (256, 256, 256, 192, 96, 48, 24, 16, 8),   (256, 256, 256, 192, 96, 48, 24, 16, 8)),
    Preset("wide",  (256, 256, 256, 256, 128, 64, 32, 16, 8),  (256, 256, 256, 256, 128, 64, 32, 16, 8)),
)
# fmt: on
PRESETS = {preset.name: preset for preset in _TABLE}


def find_preset(name: str) -> Preset:
    """The preset of that name; raises `ModelError` naming those there are."""
    if name not in PRESETS:
        raise ModelError(f"There is no preset {name!r}.", f"Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def _cut_table(channels: tuple[int, ...], size_px: int) -> ChannelTable:
    if size_px not in SIZES_PX:
        raise ModelError(
            f"A model of {size_px} pixels cannot be built.", f"Choose one of {', '.join(map(str, SIZES_PX))}."
        )
    return {resolution: count for resolution, count in zip(RESOLUTIONS, channels, strict=True) if resolution <= size_px}
