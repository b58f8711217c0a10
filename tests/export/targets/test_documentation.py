"""The table of boards is that of their files."""

from pathlib import Path

from export.targets.documentation import with_table


def test_the_page_is_up_to_date() -> None:
    text = (Path(__file__).parents[3] / "docs/boards.md").read_text(encoding="utf-8")
    assert with_table(text) == text
