"""The list of benchmarks is complete."""

from __future__ import annotations

import re

from benchmarks import ROOT


def test_every_command_is_listed_in_its_folder() -> None:
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    listed = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            folder, commands = (re.findall(r"`(\w+)`", cell) for cell in line.split("|")[1:3])
            listed[folder[0]] = set(commands)
    found: dict[str, set[str]] = {}
    for path in (ROOT / "benchmarks").glob("*/*.py"):
        if "__main__" in path.read_text(encoding="utf-8"):
            found.setdefault(path.parent.name, set()).add(path.stem)
    assert listed == found
