"""Trades cycles for flash where the fastest kernels do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from export.costing.candidate import Candidate
from export.costing.plain_c import PlainCost

_SPARED = 16  # one part in so many of the flash
_CERTAIN = 1 / 64  # decides between choices whose prices, with waits that are estimated, are almost equal
_MOST_SUMS = 4096


def spared(limit: int) -> int:
    """Bytes of flash that a network should take at most where it has a choice: some are for the firmware around it."""
    return limit - limit // _SPARED


def fit_flash(
    fastest: Sequence[Candidate | None], more: Callable[[int], Sequence[Candidate]], limit: int
) -> list[Candidate | None]:
    """Takes smaller kernels until all stages fit: of all choices that do, the one of the fewest cycles.

    It is the knapsack problem with one of several things in each place, solved by merging the stages' trade-offs one
    after the other. Some flash is spared where that is possible.

    Args:
        fastest: The fastest candidate for each stage, or None where there is none.
        more: Gives the candidates for a stage, in order of cycles; smaller ones included.
        limit: Bytes of flash.

    Returns:
        A candidate for each stage; the smallest ones, over the limit still, if no choice fits.
    """
    if flash_bytes(fastest) <= limit:
        return list(fastest)
    choices = [() if one is None else _from(more(index), one) for index, one in enumerate(fastest)]
    room = spared(limit)
    found = cheapest(choices, room)
    return found if flash_bytes(found) <= room else cheapest(choices, limit)


def cheapest(choices: Sequence[Sequence[Candidate]], room: int) -> list[Candidate | None]:
    """One candidate for each stage, None where there are none, of the least weight in all.

    Args:
        choices: Candidates by stage.
        room: Bytes of flash that they may take together; if none do, the smallest ones are taken.
    """
    stages = [candidates for candidates in choices if candidates]
    sizes = [np.array([one.cost.flash_bytes for one in candidates]) for candidates in stages]
    weights = [np.array([_weight(one) for one in candidates]) for candidates in stages]
    rest = max(0, room - sum(int(size.min()) for size in sizes))  # bytes beyond the smallest choice
    size, weight = np.zeros(1, np.int64), np.zeros(1)
    ways: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for more_bytes, more_weight in zip((one - one.min() for one in sizes), weights, strict=True):
        sums = (size[:, None] + more_bytes).ravel()
        totals = (weight[:, None] + more_weight).ravel()
        kept = _trade_off(sums, totals, rest)
        size, weight = sums[kept], totals[kept]
        ways.append((kept // len(more_bytes), kept % len(more_bytes)))
    place, picked = int(weight.argmin()), list[Candidate]()
    for (before, candidate), candidates in zip(reversed(ways), reversed(stages), strict=True):
        picked.append(candidates[candidate[place]])
        place = int(before[place])
    return [picked.pop() if candidates else None for candidates in choices]


def _trade_off(sizes: NDArray[np.int64], weights: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """The indices of sums that fit and that no smaller one outdoes in weight, thinned out where they are many."""
    order = np.lexsort((weights, sizes))
    order = order[sizes[order] <= most]
    sorted_weights = weights[order]
    better = np.ones(len(order), bool)
    better[1:] = sorted_weights[1:] < np.minimum.accumulate(sorted_weights)[:-1]
    found = order[better]
    if len(found) > _MOST_SUMS:  # of each range of sizes the lightest, which is its last
        ranges = sizes[found] * _MOST_SUMS // (most + 1)
        found = found[np.append(ranges[1:] != ranges[:-1], True) | (np.arange(len(found)) == 0)]
    return found


def _weight(candidate: Candidate) -> float:
    """What a choice is to have least of: cycles. Those before waits count a little more, as they are known exactly."""
    return candidate.price.cycles + _CERTAIN * (candidate.cost.cycles or 0)


def with_plain_c(
    chosen: Sequence[Candidate | None], plain: Callable[[int], PlainCost | None], limit: int
) -> list[Candidate | None]:
    """Leaves stages to plain C until all fit: its loops read weights as bytes, which kernels hold in two each.

    Args:
        chosen: A candidate for each stage, or None for plain C.
        plain: What plain C would take for a stage; None where it cannot compute it, or costs are unknown.
        limit: Bytes of flash.

    Returns:
        The same for as many stages as possible. Stages become plain C in the order of the bytes they save for a cycle,
        until the rest fits; then those are restored that still fit. The candidates as they came if no choice fits.
    """
    result = list(chosen)
    total = flash_bytes(result)
    if total <= limit:
        return result
    room = spared(limit)
    found = []
    for index, one in enumerate(chosen):
        cost = None if one is None else plain(index)
        if one is not None and cost is not None and cost.flash_bytes < one.cost.flash_bytes:
            saved = one.cost.flash_bytes - cost.flash_bytes
            found.append((saved / max(1, cost.cycles - one.price.cycles), saved, index))
    left = []
    for _, saved, index in sorted(found, reverse=True):
        if total > room:
            result[index], total = None, total - saved
            left.append((saved, index))
    for saved, index in sorted(left, reverse=True):
        if total + saved <= room:
            result[index], total = chosen[index], total + saved
    return result if total <= limit else list(chosen)


def _from(candidates: Sequence[Candidate], one: Candidate) -> Sequence[Candidate]:
    """The candidate and those behind it: those before it were passed over, for their scratch memory."""
    return candidates[candidates.index(one) :] if one in candidates else [one, *candidates]


def flash_bytes(chosen: Iterable[Candidate | None]) -> int:
    """Bytes of the candidates together; None, for plain C, counts nothing."""
    return sum(candidate.cost.flash_bytes for candidate in chosen if candidate is not None)
