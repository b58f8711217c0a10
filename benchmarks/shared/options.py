"""Options that benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Collection

REFERENCE = ("lenet", "alexnet", "resnet8")
"""The networks whose figures are compared with others', in the order of all tables."""


CORE = "cortex-m33"
"""The core whose cycles are compared with others'."""
CORES = (CORE, "cortex-m4")
"""The cores that exports are run on."""

PAIRS, KERNELS = "pairs", "kernels"
"""What masks keep: pairs of input channels at one kernel position, or all taps of a pair for four output channels."""


def argument_parser(document: str | None) -> argparse.ArgumentParser:
    """A parser whose --help shows the docstring of a benchmark's module as it is written."""
    return argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_networks(parser: argparse.ArgumentParser, among: Collection[str], default: str = "all") -> None:
    """Adds the names of networks, any number of them; an empty list stands for the default.

    Args:
        parser: Of the benchmark.
        among: Names there are.
        default: How --help calls it.
    """

    def name(text: str) -> str:
        if text not in among:
            raise argparse.ArgumentTypeError(f"unknown network {text!r}; choose from {', '.join(among)}")
        return text

    parser.add_argument(
        "networks", nargs="*", type=name, metavar="network", help=f"of {', '.join(among)}; default: {default}"
    )
