"""Trades cycles for flash where the fastest kernels do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.costing.candidate import Candidate

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
    result = list(fastest)
    total = sum(candidate.cost.flash_bytes for candidate in result if candidate is not None)
    if total <= limit:
        return result
    choices = [more(index) for index in range(len(result))]
    current = [0] * len(result)
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
        candidates = choices[index]
        total -= candidates[current[index]].price.flash_bytes - candidates[smaller].price.flash_bytes
        current[index] = smaller
    while (larger := _taken_back(choices, current, limit - limit // _SPARED - total)) is not None:
        index, place = larger
        total += choices[index][place].price.flash_bytes - choices[index][current[index]].price.flash_bytes
        current[index] = place
    return [
        choices[index][place] if choices[index] else fastest[index] for index, place in enumerate(current)
    ]


def _taken_back(
    choices: Sequence[Sequence[Candidate]], current: Sequence[int], room: int
) -> tuple[int, int] | None:
    """The stage and candidate that save most cycles and need no more room than there is; None of none."""
    found = [
        (candidates[now].price.cycles - candidates[place].price.cycles, index, place)
        for index, (candidates, now) in enumerate(zip(choices, current, strict=True))
        for place in range(now)
        if candidates[place].price.flash_bytes - candidates[now].price.flash_bytes <= room
    ]
    saved, index, place = max(found, default=(0, 0, 0))
    return (index, place) if saved > 0 else None


def _bytes_a_cycle(now: Candidate, then: Candidate) -> float:
    """Bytes saved for each cycle lost; `then` is the slower one."""
    saved = now.price.flash_bytes - then.price.flash_bytes
    return saved / max(1, then.price.cycles - now.price.cycles)
