"""Puts saved figures into the documentation: tables between their markers, and plots beside them.

    python -m benchmarks.pages.document

Reads what the other benchmarks saved in benchmarks/results. Writes the tables and plots of docs/benchmarks, and the
tables of README.md and other pages: what stands between `<!-- table: name -->` and `<!-- end -->` is replaced, and so
are single figures in a sentence, `<!-- figure: name -->`. The rest of a page is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import ROOT
from benchmarks.cycles import published
from benchmarks.pages import (
    accuracy_tables,
    elimination_tables,
    exactness_tables,
    no_loss_tables,
    plot,
    tables,
)
from benchmarks.shared.options import argument_parser
from benchmarks.shared.records import read_folder, read_json


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results", help="folder of figures")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of README.md and docs/")
    options = parser.parse_args(arguments)
    results, root = options.results, options.root
    pictures = root / "docs" / "benchmarks"
    document_sentences(results, root)
    for name, found in _tables(results).items():
        page = root / name
        page.write_text(fill(page.read_text(encoding="utf-8"), found), encoding="utf-8")
        print(f"wrote {page}")
    plot.draw(read_json(results / "kernels.json"), pictures / "kernels.png")
    headline = read_json(results / "headline.json")
    plot.draw_headline(headline, pictures / "headline.png")
    plot.draw_paper(read_json(results / "paper.json"), headline, pictures / "paper.png")
    return 0


def _tables(results: Path) -> dict[str, dict[str, str]]:
    """The tables of each page, by their names."""
    kernels = read_json(results / "kernels.json")
    others = read_json(results / "layers.json")
    headline = read_json(results / "headline.json")
    no_loss = read_folder(results / "no_loss")
    runs = read_folder(results / "accuracy")
    return {
        "docs/benchmarks/kernels.md": {
            "overview": tables.overview(kernels),
            "networks": tables.networks(kernels),
            "terms": tables.terms(kernels, others),
            "layers": tables.layers(kernels),
            "limits": tables.limits(kernels),
            "small": tables.small(kernels),
            "checks": tables.checks(kernels),
            "single": tables.single_layers(others),
        },
        "docs/cycles.md": {"published": published.summary(read_json(results / "published.json"))},
        "docs/benchmarks/accuracy.md": {
            "tiers": accuracy_tables.tiers(headline, no_loss_tables.proven(no_loss)),
            "no_loss": no_loss_tables.no_loss(no_loss),
            "headline": accuracy_tables.headline(headline),
            "fractions": accuracy_tables.fractions(runs),
            "spread": accuracy_tables.spread(runs),
            "paper": elimination_tables.paper(read_json(results / "paper.json"), headline),
        },
        "docs/benchmarks/recipe.md": {
            "metrics": accuracy_tables.metrics(runs),
            "ingredients": accuracy_tables.ingredients(runs),
            "recipe": accuracy_tables.recipe(read_folder(results / "recipe")),
            "sensitivity": elimination_tables.sensitivity(read_json(results / "sensitivity.json")),
            "rounding": elimination_tables.rounding(read_json(results / "rounding.json")),
            "sequence": elimination_tables.sequence(read_json(results / "sequence.json")),
        },
    }


def document_sentences(results: Path, root: Path) -> None:
    """Puts the saved figures into README.md and into sentences of other pages.

    Args:
        results: Folder of the saved figures.
        root: Folder of README.md and docs/.
    """
    headline = read_json(results / "headline.json")
    exactness = read_json(results / "exactness.json")
    generated = read_json(results / "random_networks.json")
    summary = {
        "summary": accuracy_tables.summary(headline, no_loss_tables.proven(read_folder(results / "no_loss"))),
        "exact_gain": accuracy_tables.gains(headline, "no loss"),
        "point_gain": accuracy_tables.gains(headline, "at most 1 point"),
        "differing": exactness_tables.differing(exactness, generated),
    }
    losses = {
        f"{name}_{share}": accuracy_tables.losses(headline, f"{label}{share}")
        for name, label in (("eliminated", accuracy_tables.ELIMINATED), ("tuned", accuracy_tables.KEPT_SHARE))
        for share in (50, 25)
    }
    checked = {
        "networks": exactness_tables.networks(exactness),
        "exported": exactness_tables.exported(exactness),
        "random": exactness_tables.random_networks(generated),
    }
    for name, found in (
        ("README.md", summary),
        ("docs/howto/eliminate_or_fine_tune.md", losses),
        ("docs/exactness.md", checked),
    ):
        page = root / name
        page.write_text(fill(page.read_text(encoding="utf-8"), found), encoding="utf-8")


def fill(text: str, found: Mapping[str, str]) -> str:
    """Replaces what stands between `<!-- table: name -->`, or `<!-- figure: name -->`, and `<!-- end -->`.

    Args:
        text: A page.
        found: Tables and figures by name.

    Raises:
        ValueError: A name that is neither, or one that has no place.
    """
    missing = set(found)

    def replaced(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if name not in found:
            raise ValueError(f"no table {name!r}; there are {', '.join(found)}")
        missing.discard(name)
        gap = "\n" if kind == "table" else ""
        return f"<!-- {kind}: {name} -->{gap}{found[name]}<!-- end -->"

    filled = re.sub(r"<!-- (table|figure): (\w+) -->.*?<!-- end -->", replaced, text, flags=re.DOTALL)
    if missing:
        raise ValueError(f"no place for the tables {', '.join(sorted(missing))}; add '<!-- table: name -->'")
    return filled


if __name__ == "__main__":
    sys.exit(main())
