"""Numbers and names as people read them."""

from __future__ import annotations

from math import floor, log10

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
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def printable(name: str, limit: int = 60) -> str:
    """A name, clean and cut to a length."""
    shown = clean(name)
    return shown if len(shown) <= limit else shown[: limit - 1] + "\u2026"


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
    """Bytes: 257.0 KB (of 1000 bytes) or 812 B."""
    return f"{number / 1e3:,.1f} KB" if number >= 1000 else f"{number:,.0f} B"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return f"{100 * share:.{digits}f} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.2f}"


def power_of_ten(value: float) -> str:
    """A power of ten, or a small multiple of one, in few letters: 10\u207b\u2074."""
    exponent = floor(log10(value) + 1e-9)
    factor = value / 10.0**exponent
    shown = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return shown if abs(factor - 1) < 1e-6 else f"{factor:g}\u00b7{shown}"


def plural(number: int, noun: str) -> str:
    """A number and a noun that goes with it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
