"""How an activation lies in memory: NHWC with a border and a channel stride."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from export.ir.ops import Padding

Channel = TypeVar("Channel", int, NDArray[np.int64])

ACTIVATIONS = ("auto", "int16", "int8")  # what a user may ask for
ELEMENT_BYTES = {"int8": 1, "int16": 2, "int32": 4}


@dataclass(frozen=True)
class Layout:
    """One image in memory, row-major, pixels of `pixel` elements, with `border` pixels around it.

    The border holds the zero point, so that a padded kernel reads it like any other pixel and needs no branch.

    Attributes:
        height: Rows, without the border.
        width: Pixels in a row, without the border.
        channels: Channels in use.
        pixel: Elements from one pixel to the next: at least `channels`, and even if operands are read in pairs.
        border: Pixels added on each side.
        element: "int8" or "int16"; an int16 element holds an int8 value, so that a dual MAC can read two of them.
            "int32" for indices.
        shuffled: int8 only: of every four channels the middle two are swapped, so that SXTB16, which widens every other
            byte of a word, gives neighbors.
        lines: 0 for pixels. In planes, where `pixel` is 1: how many channels have their rows side by side, so that
            a store reaches all of them.
    """

    height: int
    width: int
    channels: int
    pixel: int
    border: Padding
    element: str
    shuffled: bool = False
    lines: int = 0

    @property
    def element_bytes(self) -> int:
        """Bytes of one element."""
        return ELEMENT_BYTES[self.element]

    @property
    def line(self) -> int:
        """Elements of a row of pixels, or of a single channel's row."""
        return (self.border.left + self.width + self.border.right) * self.pixel

    @property
    def row(self) -> int:
        """Elements from one row to the next."""
        return self.line * max(1, self.lines)

    @property
    def planes(self) -> int:
        """Groups of `lines` channels, one after the other, each with all rows."""
        return -(-self.channels // self.lines) if self.lines else 1

    @property
    def rows(self) -> int:
        """Rows including the border."""
        return self.border.top + self.height + self.border.bottom

    @property
    def size_bytes(self) -> int:
        """Bytes of the buffer, a multiple of 4 so that the last pair can be read as one word."""
        return -(-self.planes * self.rows * self.row * self.element_bytes // 4) * 4

    @property
    def has_border(self) -> bool:
        """Whether any side has a border."""
        return self.border != Padding()

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie row-major without gaps, as a flat vector would."""
        whole = not self.shuffled or self.channels % 4 == 0
        return not self.has_border and not self.lines and self.pixel == self.channels and whole

    def channel_offset(self, channel: int) -> int:
        """Elements from the first channel to this one: within a pixel, or across planes."""
        if self.lines:
            return channel // self.lines * self.rows * self.row + channel % self.lines * self.line
        return shuffled_channel(channel) if self.shuffled else channel

    def offset(self, y: int, x: int, channel: int = 0) -> int:
        """Element offset of (y, x, channel) from the start; y and x may reach into the border."""
        return (
            (y + self.border.top) * self.row
            + (x + self.border.left) * self.pixel
            + self.channel_offset(channel)
        )


def flat(layout: Layout) -> Layout:
    """A contiguous layout as one pixel of many channels."""
    size = layout.height * layout.width * layout.channels
    return Layout(1, 1, size, size, Padding(), layout.element, layout.shuffled)


def shuffled_channel(channel: Channel) -> Channel:
    """The position of a channel, or of each of an array, when the middle two of every four are swapped."""
    return channel & ~3 | (channel & 1) << 1 | channel >> 1 & 1


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of an activation of any rank: the last dimension is the channels."""
    inner = shape[1:]
    if len(inner) == 3:
        return inner[0], inner[1], inner[2]
    if not inner:
        return 1, 1, 1
    width = 1
    for extent in inner[:-1]:
        width *= extent
    return 1, width, inner[-1]
