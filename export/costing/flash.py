"""Trades cycles for flash where the fastest kernels do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.costing.candidate import Candidate
from export.costing.plain_c import PlainCost

_SPARED = 16  # one part in so many of the flash


def fit_flash(
    fastest: Sequence[Candidate | None], more: Callable[[int], Sequence[Candidate]], limit: int
) -> list[Candidate | None]:
    """Takes smaller kernels, those first that save most bytes for a cycle, until all stages fit.

    The last of them may have saved more than was needed, so what then fits again is taken back; of that, some flash
    is spared, since the firmware around the network needs its own.

    Args:
        fastest: the fastest candidate for each stage, or None where there is none.
        more: gives the candidates for a stage, in order of cycles; smaller ones included.
        limit: bytes of flash.

    Returns:
        A candidate for each stage; over the limit still if no choice fits.
    """
    if sum(map(_flash_bytes, fastest)) <= limit:
        return list(fastest)
    choices = [_with(more(index), one) for index, one in enumerate(fastest)]
    current = [
        0 if one is None else candidates.index(one) for one, candidates in zip(fastest, choices, strict=True)
    ]
    total = sum(map(_flash_bytes, fastest))
    while total > limit:
        best: tuple[float, int, int] | None = None
        for index, candidates in enumerate(choices):
            for smaller in range(current[index] + 1, len(candidates)):
                gain = _bytes_a_cycle(candidates[current[index]], candidates[smaller])
                if gain > 0 and (best is None or gain > best[0]):
                    best = (gain, index, smaller)
        if best is None:
            break
        _, index, smaller = best
        total += _flash_bytes(choices[index][smaller]) - _flash_bytes(choices[index][current[index]])
        current[index] = smaller
    while (larger := _restored(choices, current, limit - limit // _SPARED - total)) is not None:
        index, place = larger
        total += _flash_bytes(choices[index][place]) - _flash_bytes(choices[index][current[index]])
        current[index] = place
    return [
        choices[index][place] if choices[index] else fastest[index] for index, place in enumerate(current)
    ]


def with_plain_c(
    chosen: Sequence[Candidate | None], plain: Callable[[int], PlainCost | None], limit: int
) -> list[Candidate | None]:
    """Leaves stages to plain C until all fit: its loops read weights as bytes, which kernels hold in two each.

    Args:
        chosen: a candidate for each stage, or None for plain C.
        plain: what plain C would take for a stage; None where it cannot compute it, or costs are unknown.
        limit: bytes of flash.

    Returns:
        The same for as many stages as possible: those go first that save most bytes for a cycle, until some flash is
        spared, and of them none that the others make needless. All of them where no choice fits.
    """
    result = list(chosen)
    total = sum(map(_flash_bytes, result))
    if total <= limit:
        return result
    room = limit - limit // _SPARED
    found = []
    for index, one in enumerate(chosen):
        cost = None if one is None else plain(index)
        if one is not None and cost is not None and cost.flash_bytes < _flash_bytes(one):
            saved = _flash_bytes(one) - cost.flash_bytes
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


def _restored(
    choices: Sequence[Sequence[Candidate]], current: Sequence[int], room: int
) -> tuple[int, int] | None:
    """The stage and candidate that save most cycles within the room there is; None if there are none."""
    found = [
        (candidates[now].price.cycles - candidates[place].price.cycles, index, place)
        for index, (candidates, now) in enumerate(zip(choices, current, strict=True))
        for place in range(now)
        if _flash_bytes(candidates[place]) - _flash_bytes(candidates[now]) <= room
    ]
    saved, index, place = max(found, default=(0, 0, 0))
    return (index, place) if saved > 0 else None


def _with(candidates: Sequence[Candidate], one: Candidate | None) -> Sequence[Candidate]:
    """The candidates, one that is chosen already among them."""
    return candidates if one is None or one in candidates else [one, *candidates]


def _flash_bytes(candidate: Candidate | None) -> int:
    return 0 if candidate is None else candidate.cost.flash_bytes


def _bytes_a_cycle(now: Candidate, then: Candidate) -> float:
    """Bytes saved for each cycle lost; `then` is the slower one."""
    saved = _flash_bytes(now) - _flash_bytes(then)
    return saved / max(1, then.price.cycles - now.price.cycles)
