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
    quotes,
    tables,
)
from benchmarks.pages.quotes import Quote
from benchmarks.shared.options import argument_parser
from benchmarks.shared.records import read_folder, read_json


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results", help="folder of figures")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of README.md and docs/")
    options = parser.parse_args(arguments)
    results, root = options.results, options.root
    pictures = root / "docs" / "benchmarks"
    for name, filled in pages(results, root).items():
        (root / name).write_text(filled, encoding="utf-8")
        print(f"wrote {root / name}")
    plot.draw(read_json(results / "kernels.json"), pictures / "kernels.png")
    headline = read_json(results / "headline.json")
    plot.draw_headline(headline, pictures / "headline.png")
    plot.draw_paper(read_json(results / "paper.json"), headline, pictures / "paper.png")
    return 0


def pages(results: Path, root: Path) -> dict[str, str]:
    """The pages with the saved figures in them, by their names.

    Args:
        results: Folder of the saved figures.
        root: Folder of README.md and docs/.
    """
    of_page = _quotes(results)
    return {
        name: fill((root / name).read_text(encoding="utf-8"), found, of_page.get(name))
        for name, found in _tables(results).items()
    }


def _quotes(results: Path) -> dict[str, Quote]:
    """What finds the figures in the sentences of a page, by the page's name."""
    runs = read_folder(results / "accuracy")
    headline, no_loss = read_json(results / "headline.json"), read_folder(results / "no_loss")
    return {
        "docs/benchmarks/accuracy.md": quotes.models(headline, no_loss, runs),
        "docs/benchmarks/recipe.md": quotes.optimizers(runs, read_json(results / "overhead.json")),
        "docs/benchmarks/kernels.md": quotes.prices(read_json(results / "pricing.json")),
    }


def _tables(results: Path) -> dict[str, dict[str, str]]:
    """The tables of each page, and what else has a place in it, by their names."""
    kernels = read_json(results / "kernels.json")
    others = read_json(results / "layers.json")
    headline = read_json(results / "headline.json")
    no_loss = read_folder(results / "no_loss")
    runs = read_folder(results / "accuracy")
    exactness = read_json(results / "exactness.json")
    generated = read_json(results / "random_networks.json")
    proven = no_loss_tables.proven(no_loss)
    return {
        "README.md": {
            "summary": accuracy_tables.summary(headline, proven),
            "proven_exact": no_loss_tables.proven_exact(proven),
            "exact_gain": accuracy_tables.gains(headline, "no loss"),
            "point_gain": accuracy_tables.gains(headline, "at most 1 point"),
            "differing": exactness_tables.differing(exactness, generated),
        },
        "docs/howto/eliminate_or_fine_tune.md": {
            f"{name}_{share}": accuracy_tables.losses(headline, f"{label}{share}")
            for name, label in (
                ("eliminated", accuracy_tables.ELIMINATED),
                ("tuned", accuracy_tables.KEPT_SHARE),
            )
            for share in (50, 25)
        },
        "docs/exactness.md": {
            "networks": exactness_tables.networks(exactness),
            "exported": exactness_tables.exported(exactness),
            "random": exactness_tables.random_networks(generated),
        },
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
            "tiers": accuracy_tables.tiers(headline, proven),
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


def fill(text: str, found: Mapping[str, str], quote: Quote | None = None) -> str:
    """Replaces what stands between `<!-- table: name -->`, or `<!-- figure: name -->`, and `<!-- end -->`.

    Args:
        text: A page.
        found: Tables and figures by name; each has a place.
        quote: Finds the figures that are not in `found`.

    Raises:
        ValueError: A name that is none of these, or one of `found` that has no place.
    """
    missing = set(found)

    def replaced(match: re.Match[str]) -> str:
        kind, name = match.groups()
        missing.discard(name)
        gap = "\n" if kind == "table" else ""
        return f"<!-- {kind}: {name} -->{gap}{content(kind, name)}<!-- end -->"

    def content(kind: str, name: str) -> str:
        try:
            return found[name] if name in found or quote is None or kind == "table" else quote(name)
        except KeyError:
            raise ValueError(f"no {kind} {name!r}; there are {', '.join(found)}") from None

    filled = re.sub(r"<!-- (table|figure): (.+?) -->.*?<!-- end -->", replaced, text, flags=re.DOTALL)
    if missing:
        raise ValueError(f"no place for the tables {', '.join(sorted(missing))}; add '<!-- table: name -->'")
    return filled


if __name__ == "__main__":
    sys.exit(main())
