"""Every command stands in the documentation, with all its options."""

from __future__ import annotations

import re
from pathlib import Path

from export.commands.program.documentation import page
from export.commands.program.main import _COMMANDS

ROOT = Path(__file__).parents[4]


def test_the_page_of_options_is_up_to_date() -> None:
    assert (ROOT / "docs/options.md").read_text(encoding="utf-8") == page()


def test_every_command_has_its_section_and_its_row() -> None:
    assert re.findall(r"^## (\S+)$", page(), re.MULTILINE) == [*_COMMANDS]
    overview = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `([\w-]+)` \|", overview, re.MULTILINE)} == {*_COMMANDS}
