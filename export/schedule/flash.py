"""Trades cycles for flash where the fastest kernels do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from .offer import Offer

Some = TypeVar("Some", bound=Offer)


def fit_flash(
    fastest: Sequence[Some | None], more: Callable[[int], Sequence[Some]], limit: int
) -> list[Some | None]:
    """Takes smaller kernels, those first that save most bytes for a cycle, until all stages fit.

    Args:
        fastest: the fastest offer for each stage, or None where there is none.
        more: gives the offers for a stage, in order of cycles; smaller ones included.
        limit: bytes of flash.

    Returns:
        An offer for each stage; over the limit still if no choice fits.
    """
    result = list(fastest)
    total = sum(offer.figures.flash_bytes for offer in result if offer is not None)
    if total <= limit:
        return result
    choices = [more(index) for index in range(len(result))]
    current = [0] * len(result)
    while total > limit:
        best: tuple[float, int, int] | None = None
        for index, offers in enumerate(choices):
            for candidate in range(current[index] + 1, len(offers)):
                gain = _bytes_a_cycle(offers[current[index]], offers[candidate])
                if gain > 0 and (best is None or gain > best[0]):
                    best = (gain, index, candidate)
        if best is None:
            break
        _, index, candidate = best
        offers = choices[index]
        total -= offers[current[index]].price.flash_bytes - offers[candidate].price.flash_bytes
        current[index] = candidate
        result[index] = offers[candidate]
    return result


def _bytes_a_cycle(now: Offer, then: Offer) -> float:
    """Bytes saved for each cycle lost; `then` is the slower one."""
    saved = now.price.flash_bytes - then.price.flash_bytes
    return saved / max(1, then.price.cycles - now.price.cycles)
