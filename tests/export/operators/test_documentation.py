"""The page of supported operators is that of the table."""

from pathlib import Path

from export.operators.documentation import page
from export.operators.table import OPERATORS, READERS

ROOT = Path(__file__).parents[3]


def test_the_page_is_up_to_date():
    assert (ROOT / "docs/operators.md").read_text(encoding="utf-8") == page()


def test_every_operator_that_is_read_is_described():
    assert all(f" {name} " in page().replace(",", " ") for name in READERS)
    assert len({operator.kind for operator in OPERATORS}) == len(OPERATORS)
