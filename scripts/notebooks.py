"""Executes the tutorials and saves their outputs: `python scripts/notebooks.py [NAME...]`.

Paths of the machine and warnings of libraries do not belong into a saved notebook: standard error is left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

TUTORIALS = Path(__file__).resolve().parents[1] / "docs/tutorials"
_SECONDS = 1800  # for one cell


def execute(path: Path, *, short: bool = False) -> Any:
    """The notebook with the outputs that it has now.

    Args:
        path: Of the notebook; it is run in its own folder.
        short: Whether it sees TUTORIAL_SHORT=1 and makes do with little data, as in tests.

    Raises:
        CellExecutionError: A cell raised an error.
    """
    os.environ["TUTORIAL_SHORT"] = "1" if short else "0"
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def main(names: list[str]) -> int:
    """Executes the named tutorials, all of them if none is named, and saves them."""
    for path in [TUTORIALS / f"{name}.ipynb" for name in names] or sorted(TUTORIALS.glob("*.ipynb")):
        nbformat.write(execute(path), path)
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
