"""Numbers go with their nouns, and tables with their columns."""

from __future__ import annotations

import pytest

from keras_approx.text import plural, printable, text_table


@pytest.mark.parametrize(
    ("number", "noun", "shown"),
    [
        (0, "input", "0 inputs"),
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
        (1200, "class", "1,200 classes"),
    ],
)
def test_numbers_go_with_their_nouns(number: int, noun: str, shown: str) -> None:
    assert plural(number, noun) == shown


def test_names_steer_no_terminal() -> None:
    assert printable("a\x1b[2J\nb") == "a?[2J?b"
    assert printable("x" * 50, 40) == "x" * 37 + "..."


def test_columns_of_text_and_of_numbers() -> None:
    found = text_table(("layer", "cycles", "name"), [("1", "20,000", "a\tb"), ("12", "5", "")], text=(0, -1))
    assert found.split("\n") == [
        "layer  cycles  name",
        "1      20,000  a?b",
        "12          5",
    ]
