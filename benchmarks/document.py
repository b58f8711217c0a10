"""Puts the figures of `benchmarks/kernels.py` into the documentation: tables in docs/kernels.md, and a plot beside it.

    python benchmarks/document.py                             # from benchmarks/results/kernels.json
    python benchmarks/document.py --results other.json --docs elsewhere

The text of kernels.md is written by hand; what stands between its markers is replaced.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import plot
from benchmarks.tables import checks, layers, networks, terms

ROOT = Path(__file__).resolve().parents[1]
_TABLES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "networks": networks,
    "terms": terms,
    "layers": layers,
    "checks": checks,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results/kernels.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of kernels.md")
    options = parser.parse_args(arguments)
    results = json.loads(options.results.read_text(encoding="utf-8"))
    page = options.docs / "kernels.md"
    page.write_text(fill(page.read_text(encoding="utf-8"), results), encoding="utf-8")
    plot.draw(results, options.docs / "kernels.png")
    print(f"wrote {page} and {options.docs / 'kernels.png'}")
    return 0


def fill(text: str, results: Mapping[str, Any]) -> str:
    """Replaces what stands between `<!-- table: name -->` and `<!-- end -->` by that table.

    Raises:
        ValueError: a name that is no table, or a table that has no place.
    """
    missing = set(_TABLES)

    def replaced(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in _TABLES:
            raise ValueError(f"no table {name!r}; there are {', '.join(_TABLES)}")
        missing.discard(name)
        return f"<!-- table: {name} -->\n{_TABLES[name](results)}<!-- end -->"

    filled = re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", replaced, text, flags=re.DOTALL)
    if missing:
        raise ValueError(f"no place for the tables {', '.join(sorted(missing))}; add '<!-- table: name -->'")
    return filled


if __name__ == "__main__":
    sys.exit(main())
