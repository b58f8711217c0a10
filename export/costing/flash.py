"""Trades cycles for flash where the fastest kernels do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.costing.candidate import Candidate


def fit_flash(
    fastest: Sequence[Candidate | None], more: Callable[[int], Sequence[Candidate]], limit: int
) -> list[Candidate | None]:
    """Takes smaller kernels, those first that save most bytes for a cycle, until all stages fit.

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
        result[index] = candidates[smaller]
    return result


def _bytes_a_cycle(now: Candidate, then: Candidate) -> float:
    """Bytes saved for each cycle lost; `then` is the slower one."""
    saved = now.price.flash_bytes - then.price.flash_bytes
    return saved / max(1, then.price.cycles - now.price.cycles)
