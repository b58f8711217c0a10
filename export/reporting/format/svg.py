"""Pictures as SVG inside a page: they take its colors, light or dark, and its width."""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

from export.reporting.format.style import COLORS, drawing
from export.reporting.format.text import clean

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]*)\)")


def inline_svg(figure: Any, name: str, shows: str) -> str:
    """An <svg> element.

    Args:
        figure: A matplotlib Figure.
        name: Prefix of the ids in it, so that pictures on one page do not share any.
        shows: Says what is to be seen to those who cannot see it.

    Returns:
        Its text, in which every color of `style.COLORS` is a CSS variable of that name.
    """
    buffer = io.BytesIO()
    with drawing():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    for child in list(root):
        if child.tag == f"{{{_SVG}}}metadata":
            root.remove(child)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            element.set(key, _themed(_renamed(key, value, name)))
    for unwanted in ("width", "height", "version"):
        root.attrib.pop(unwanted, None)
    root.set("role", "img")
    root.set("aria-label", clean(shows))
    return ElementTree.tostring(root, encoding="unicode")


def _renamed(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", f"{{{_LINK}}}href") and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{name}-\1)", value)


def _themed(value: str) -> str:
    for name, color in COLORS.items():
        value = value.replace(color.lower(), f"var(--{name})")
    return value
