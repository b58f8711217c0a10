"""Chooses the variant of a layer's kernels."""

from __future__ import annotations

import numpy as np

from .conv import ConvProblem, can_loop, packed_pairs, plan_loop, plan_unpacked
from .plan import Plan

DENSE = 0.85  # above this part of kept pairs, skipping saves less than straight-line code costs in fetches


def choose_plan(problem: ConvProblem) -> Plan:
    """Unpacked where pairs are skipped; a shared loop where nearly all are kept."""
    pairs = packed_pairs(problem)
    if can_loop(problem) and np.count_nonzero(pairs) > DENSE * pairs.size:
        return plan_loop(problem)
    return plan_unpacked(problem)
