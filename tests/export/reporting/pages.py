"""What every page must be, and text that tries to break one."""

from __future__ import annotations

import re
from html.parser import HTMLParser

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$\\frac{$ & ]]> -->",
    "a|b`c*d_e[f](javascript:g)",
    "\x1b[31m\u202e\x00name",
    "</svg></figure><style>body{display:none}</style>",
)


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "nav", "ol", "li", "a"),
    *("section", "figure", "figcaption", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "g", "path", "defs", "use", "text", "clippath", "rect", "image", "tspan"),
}


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def check_page(text: str) -> Page:
    """Every tag is closed and known; nothing is loaded from elsewhere, nothing runs; ids are unique."""
    page = Page(text)
    assert not page.open
    assert page.tags <= TAGS
    names = [name for name, _ in page.attributes]
    assert not [name for name in names if name.startswith("on")]
    for name, value in page.attributes:
        if name in ("href", "src", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,"))
        assert "url(" not in value.replace("url(#", "")
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = [v.lstrip("#") for n, v in page.attributes if n in ("href", "xlink:href") and v.startswith("#")]
    assert set(used) | set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)
    return page
