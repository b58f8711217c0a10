"""Graph rewrites, one a file, each exact: the interpreter gives the same int8 outputs before and after.

A pass is a function from Graph to Graph. They run once each, in the order of `PASSES`: later ones rely on
earlier ones (lookup tables are merged only after they were made), and what earlier ones leave unused is
dropped last. `logging.basicConfig(level=logging.INFO)` shows which passes change a network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from export.ir.graph import Graph
from export.ir.rewrite import prune
from export.passes.fold_constant_channels import fold_constant_channels
from export.passes.fold_constants import fold_constants
from export.passes.fold_functions import fold_functions
from export.passes.fold_pad import fold_pad
from export.passes.fuse_relu import fuse_relu
from export.passes.merge_lookups import merge_lookups
from export.passes.merge_reshapes import merge_reshapes
from export.passes.remove_identities import remove_identities
from export.passes.remove_unread_channels import remove_unread_channels
from export.passes.straighten import straighten
from export.passes.tabulate import tabulate
from export.passes.trim_taps import trim_taps
from export.passes.turn_columns import turn_columns

__all__ = ["PASSES", "run_passes"]

_LOG = logging.getLogger(__name__)

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    fold_constants,
    fold_pad,
    trim_taps,  # by the paddings that fold_pad has made whole
    fuse_relu,
    tabulate,
    merge_lookups,
    remove_identities,  # which may stand between two reshapes
    merge_reshapes,
    remove_identities,  # reshapes that merged to none
    prune,  # unused operators would keep channels that they read
    fold_constant_channels,
    remove_unread_channels,  # the folded ones among them
    fold_functions,  # of the ranges and channels that are left
    straighten,  # arithmetic that no layer has absorbed
    turn_columns,
    prune,
)


def run_passes(graph: Graph) -> Graph:
    """The graph after all of `PASSES`; the log has a line for each one that changes operators."""
    for rewrite in PASSES:
        before, graph = graph, rewrite(graph)
        if _LOG.isEnabledFor(logging.INFO) and graph.ops != before.ops:
            _LOG.info("%s: %d operators before, %d after", rewrite.__name__, len(before.ops), len(graph.ops))
    return graph
