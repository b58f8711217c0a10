"""Checks the types of the Python in pages and tutorials: `python scripts/page_types.py`, part of `make lint`.

Tests run that code, which takes minutes. This finds a name that is gone in a second. Names that a page takes for
granted, such as the reader's model, may be anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / "build/pages"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sources() -> Iterator[tuple[str, str]]:
    """The Python of every page that has some, by the page's path; lines have the numbers that they have in pages."""
    for page in sorted([_ROOT / "README.md", *_ROOT.glob("docs/**/*.md")]):
        text, code = page.read_text(encoding="utf-8"), ""
        for block in _BLOCK.finditer(text):
            code += "\n" * (text.count("\n", 0, block.start(1)) - code.count("\n")) + block.group(1)
        if code:
            yield page.relative_to(_ROOT).as_posix(), code
    for tutorial in sorted(_ROOT.glob("docs/tutorials/*.ipynb")):
        cells = nbformat.read(tutorial, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        yield tutorial.relative_to(_ROOT).as_posix(), f"{code}\n"


def main() -> int:
    """Writes the code where mypy knows how to read it, and runs mypy."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for old in _FOLDER.glob("*.py"):
        old.unlink()
    for page, code in sources():
        (_FOLDER / f"{re.sub(r'[^a-z]+', '_', page.lower())}.py").write_text(code, encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "mypy", str(_FOLDER)], cwd=_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
