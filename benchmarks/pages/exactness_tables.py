"""The figures of `benchmarks.exactness.networks` and `benchmarks.exactness.random_networks` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.pages.tables import table

_HOST = "host"


def networks(results: Mapping[str, Any]) -> str:
    """Each network: how many output bytes were compared, and how many of them were wrong, by what computed them."""
    rows = []
    for verdict in results["results"]:
        runs, on_cores = verdict["runs"]
        wrong = verdict["wrong_bytes"]
        cells = [f"{count:,}" for count in wrong.values()] or ["refused"]
        rows.append(
            (verdict["model"], f"{runs:,}", f"{on_cores:,}", f"{verdict['bytes_compared']:,}", *cells)
        )
    columns = next(verdict["wrong_bytes"] for verdict in results["results"] if verdict["wrong_bytes"])
    head = ("model", "inferences", "on cores", "bytes", *(f"wrong: {name}" for name in columns))
    return table(head, rows, left=1)


def exported(results: Mapping[str, Any]) -> str:
    """How many of the models were exported."""
    verdicts = results["results"]
    return f"{sum(not verdict['blockers'] for verdict in verdicts)} of {len(verdicts)}"


def random_networks(record: Mapping[str, Any]) -> str:
    """How many random networks there were, of how many operators, and what was compared.

    Raises:
        ValueError: Some of them failed.
    """
    if record["failed"]:
        raise ValueError(f"random networks {', '.join(record['failed'])} failed: find out why first")
    count, bytes_ = record["networks"], record["bytes"]
    on_cores = sum(amount for name, amount in bytes_.items() if name.startswith("cortex"))
    operators = record["operators"]
    return (
        f"{count:,} networks of {len(operators)} kinds of operators, {sum(operators.values()):,} operators in all: "
        f"none of {bytes_[_HOST]:,} bytes of the host's builds was wrong, and none of {on_cores:,} of the emulated "
        "cores'"
    )


def differing(results: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Wrong bytes of all that were compared, random networks included."""
    wrong = sum(max(verdict["wrong_bytes"].values(), default=0) for verdict in results["results"])
    compared = sum(verdict["bytes_compared"] for verdict in results["results"])
    return f"{wrong:,} of {compared + record['bytes'][_HOST]:,}"
