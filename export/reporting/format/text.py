"""Numbers and names as people read them."""

from __future__ import annotations

import textwrap
from math import floor, log10

from export.proportions import wilson_interval
from export.targets import Board, Span
from keras_approx.text import printable as text_of_one_line

_SHORT_KINDS = {
    "conv2d": "conv",
    "depthwise_conv2d": "depthwise",
    "fully_connected": "dense",
    "max_pool2d": "max pool",
    "average_pool2d": "mean pool",
    "concatenation": "concat",
}
_SUPERSCRIPTS = str.maketrans(
    "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)


def clean(text: str) -> str:
    """A text without control and direction characters."""
    return text_of_one_line(text, instead="\ufffd")


def printable(name: str, limit: int = 60) -> str:
    """A name, clean and cut to a length."""
    shown = clean(name)
    return shown if len(shown) <= limit else shown[: limit - 1] + "\u2026"


def folded(name: str, width: int = 22) -> str:
    """A whole name in lines that leave room for a picture."""
    return "\n".join(textwrap.wrap(clean(name), width)) or "-"


def layer_label(index: int | None, kind: str) -> str:
    """A layer of an export in few letters."""
    kind = printable(_SHORT_KINDS.get(kind, kind.replace("_", " ")), 16)
    return kind if index is None else f"{index} {kind}"


def count(number: float) -> str:
    """A large number: 1.37 M, 64.2 k or 812."""
    if number >= 999_500:
        return f"{number / 1e6:.2f} M"
    return f"{number / 1e3:.1f} k" if number >= 10_000 else f"{number:,.0f}"


def size(number: float) -> str:
    """Bytes: 251.0 KiB or 812 B."""
    return f"{number / 1024:,.1f} KiB" if number >= 1024 else f"{number:,.0f} B"


def memory(number: int) -> str:
    """What a board has, as its makers write it: 786432 bytes are 768 KiB, 2097152 are 2 MiB."""
    for unit, bytes_of in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= bytes_of and number % bytes_of == 0:
            return f"{number // bytes_of} {unit}"
    return size(number)


def milliseconds(board: Board | None, cycles: float, most: float | None = None) -> str:
    """Cycles, or a range up to `most`, as time at a board's clock; empty without a board."""
    if board is None:
        return ""
    factor, unit = (1e3, "ms") if cycles >= 1e-4 * board.clock_hz else (1e6, "\u00b5s")
    low, high = (factor * end / board.clock_hz for end in (cycles, cycles if most is None else most))
    return f"{Span(low, high):.3g} {unit}"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return f"{100 * share:.{digits}f} %"


def interval(right: int, images: int) -> str:
    """The 95 % interval of a share that was counted: 97.3 to 100.0 %."""
    low, high = wilson_interval(right, images)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.2f}"


def power_of_ten(value: float) -> str:
    """A power of ten, or a small multiple of one, in few letters: 10\u207b\u2074."""
    exponent = floor(log10(value) + 1e-9)
    factor = value / 10.0**exponent
    shown = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return shown if abs(factor - 1) < 1e-6 else f"{factor:g}\u00b7{shown}"
