"""Text in Markdown: escaped where it would mean something."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from export.reporting.format.markdown import escape


@given(st.text(alphabet=st.sampled_from("ab 1.)-+*_`<>[]()|\\#!&~$:/@\n"), max_size=30))
def test_markdown_escapes_what_means_something_and_loses_nothing(plain):
    escaped = escape(plain)
    assert "\n" not in escaped
    assert re.sub(r"\\(.)", r"\1", escaped) == " ".join(plain.split())
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`<>\[\]|#!&~$]", re.sub(r"\\.", "", escaped))
    assert not re.match(r"([-+]|\d+[.)])\s", escaped)


def test_bare_addresses_do_not_become_links():
    assert escape("http://a.b www.c.d") == r"http\://a.b www\.c.d"
