"""Comments, tables and indentation; no text from a model can leave its comment."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.csource.text import WIDTH, comment, comment_text, indent, quoted, table

NASTY = st.text(st.sampled_from('*/\\?"\n\r\0 %$`;#<>äx'), max_size=80)


@given(st.one_of(st.text(max_size=100), NASTY), st.integers(4, 80))
def test_printable_text_is_harmless_and_short(text: str, limit: int) -> None:
    safe = comment_text(text, limit)
    assert re.fullmatch(r"[A-Za-z0-9 _\-.:;/+=()\[\],]*", safe)
    assert len(safe) <= limit
    assert comment([safe]) == f"/* {safe}\n */\n"


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=60))
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert comment_text(text) == text


@pytest.mark.parametrize("text", ["*/", "a */ b", "\\", "end\\"])
def test_a_comment_refuses_what_could_end_it(text: str) -> None:
    with pytest.raises(ValueError, match="comment end or backslash"):
        comment(["fine", text])


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=200))
def test_a_table_holds_its_values_in_short_lines(values: list[int]) -> None:
    text = table("int32_t", "name", values)
    head, *lines, tail = text.splitlines()
    assert head == f"static const int32_t name[{len(values)}] = {{"
    assert tail == "};"
    assert [int(item) for item in "".join(lines).rstrip(",").split(",")] == values
    assert max(map(len, lines)) <= WIDTH + 1


def test_hexadecimal_words() -> None:
    assert table("uint32_t", "w", [0, 0xFFFFFFFF], hexadecimal=True) == (
        "static const uint32_t w[2] = {\n    0x00000000, 0xffffffff,\n};\n"
    )


def test_indentation_leaves_empty_lines_empty() -> None:
    assert indent(indent("a\n\n  b\n")) == "        a\n\n          b\n"


@given(st.one_of(st.text(max_size=60), NASTY))
def test_strings_come_back_out_of_their_literals(text: str) -> None:
    literal = quoted(text.encode("utf-8", "replace").decode())
    assert re.fullmatch(r'"(\\[0-3][0-7]{2}|[ -~])*"', literal)
    assert not re.search(r'[?"]', literal[1:-1])
    decoded = re.sub(r"\\([0-3][0-7]{2})", lambda m: chr(int(m[1], 8)), literal[1:-1])
    assert decoded.encode("latin-1") == text.encode("utf-8", "replace")
