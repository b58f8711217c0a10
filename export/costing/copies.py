"""Which kernels run as copies from RAM: those that save most cycles for a byte, until the bank is full."""

from __future__ import annotations

from collections.abc import Sequence

from export.costing.candidate import CALL_OF_COPY_BYTES, Candidate

Copies = tuple[frozenset[int], ...]
"""For each stage, the kernels of its plan that are copied."""


def no_copies(chosen: Sequence[Candidate | None]) -> Copies:
    """No kernel of any stage."""
    return (frozenset(),) * len(chosen)


def choose_copies(chosen: Sequence[Candidate | None], room: int) -> Copies:
    """Fills a bank of RAM with the kernels whose waits it saves.

    Args:
        chosen: The candidate of each stage, or None where plain C computes it.
        room: Bytes of the bank.
    """
    found = [
        (kernel.gain / (kernel.size + CALL_OF_COPY_BYTES), stage, number, kernel.size)
        for stage, candidate in enumerate(chosen)
        if candidate is not None
        for number, kernel in enumerate(candidate.price.kernels)
        if kernel.gain > 0
    ]
    taken: list[set[int]] = [set() for _ in chosen]
    for _, stage, number, size in sorted(found, key=lambda one: (-one[0], one[1:])):
        if size <= room:
            room -= size
            taken[stage].add(number)
    return tuple(map(frozenset, taken))


def cycles_with_copies(chosen: Sequence[Candidate | None], copies: Copies) -> float:
    """Cycles of all stages, those copied kernels save left out."""
    return sum(
        candidate.price.cycles - sum(candidate.price.kernels[number].gain for number in copied)
        for candidate, copied in zip(chosen, copies, strict=True)
        if candidate is not None
    )
