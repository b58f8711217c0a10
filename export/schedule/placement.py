"""Where buffers lie in the arena, with the scratch memory of chosen kernels, and which kernels fit the RAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from export.costing.candidate import Candidate
from export.costing.flash import cheapest, flash_bytes
from export.ir.graph import Graph
from export.ir.ops import Padding
from export.schedule.arena import Lifetime, plan
from export.schedule.layouts import root
from export.schedule.stage import Buffer, Schedule, Stage

Lifetimes = dict[tuple[str, int], Lifetime]
"""Of the arena's buffers, by what they hold and its number: a "tensor", or the "scratch" memory of a stage."""


@dataclass(frozen=True)
class LaidOut:
    """A network whose kernels are not chosen yet.

    Attributes:
        graph: The network.
        stages: In execution order, buffers without offsets.
        owners: Which tensors lie in the buffer of another one.
        state_bytes: Memory of the states.
    """

    graph: Graph
    stages: tuple[Stage, ...]
    owners: Mapping[int, int]
    state_bytes: int

    def placed(self, chosen: Sequence[Candidate | None], copies: Sequence[frozenset[int]]) -> Schedule:
        """Gives every stage its candidate, and every arena buffer its offset.

        Args:
            chosen: One a stage; None for plain C.
            copies: Which of a candidate's kernels run as copies from RAM, one set a stage.
        """
        lifetimes = self._tensors | _scratch(chosen)
        offsets, total = plan(list(lifetimes.values()))
        where = dict(zip(lifetimes, offsets, strict=True))

        def moved(used: Buffer) -> Buffer:
            if used.place != "arena":
                return used
            return replace(used, offset=where["tensor", root(used.tensor, self.owners)])

        stages = [
            replace(
                stage,
                reads=tuple(map(moved, stage.reads)),
                writes=moved(stage.writes),
                candidate=candidate,
                copied=copied,
                scratch_offset=where.get(("scratch", number), 0),
            )
            for number, (stage, candidate, copied) in enumerate(zip(self.stages, chosen, copies, strict=True))
        ]
        return Schedule(self.graph, tuple(stages), total, self.state_bytes)

    def data_bytes(self, chosen: Sequence[Candidate | None]) -> int:
        """Bytes of the arena and of the states with these candidates."""
        return self._bytes(self._tensors | _scratch(chosen))

    @property
    def least_bytes(self) -> int:
        """What no choice of kernels and layouts goes below: values alone, without borders, gaps and scratch memory."""

        def bare(used: Buffer) -> Buffer:
            layout = used.layout
            return replace(used, layout=replace(layout, pixel=layout.channels, border=Padding(), lines=0))

        return self._bytes(self._lifetimes(bare))

    @cached_property
    def _tensors(self) -> Lifetimes:
        """The lifetimes of tensors."""
        return self._lifetimes(lambda used: used)

    def _lifetimes(self, held: Callable[[Buffer], Buffer]) -> Lifetimes:
        """The lifetimes of tensors whose buffers are what `held` makes of them."""
        found: Lifetimes = {}
        for number, stage in enumerate(self.stages):
            for used in map(held, (*stage.reads, stage.writes)):
                if used.place == "arena":
                    key = "tensor", root(used.tensor, self.owners)
                    before = found.get(key, Lifetime(0, number, number))
                    found[key] = Lifetime(max(used.layout.size_bytes, before.size), before.first, number)
        return found

    def _bytes(self, lifetimes: Lifetimes) -> int:
        """Bytes of an arena of such buffers, and of the states."""
        return plan(list(lifetimes.values()))[1] + self.state_bytes


def _scratch(chosen: Sequence[Candidate | None]) -> Lifetimes:
    """The lifetimes of the memory that kernels work in, by stage."""
    return {
        ("scratch", number): Lifetime(candidate.scratch_bytes, number, number)
        for number, candidate in enumerate(chosen)
        if candidate is not None and candidate.scratch_bytes
    }


def fit_ram(
    laid_out: LaidOut,
    chosen: Sequence[Candidate | None],
    more: Callable[[int], Sequence[Candidate]],
    hold: Callable[[int], bool],
    flash: int | None,
) -> list[Candidate | None]:
    """Takes kernels with less scratch memory until all data fits.

    Several stages may fill the arena to the same height, so they give way together: all scratch memory gets one limit,
    the largest with which the data fits. Then each stage takes back what still fits with the others as they are.

    Args:
        laid_out: The network.
        chosen: A candidate for each stage, or None for plain C.
        more: Gives the candidates for a stage, in order of cycles.
        hold: Whether there is memory for so many bytes of data.
        flash: Bytes that code and constants may take, unless the chosen ones take more; None for any number.

    Returns:
        A candidate for each stage; over the limit still if no choice fits.
    """
    needed = laid_out.data_bytes(chosen)
    if hold(needed):
        return list(chosen)
    choices = [() if now is None else more(index) for index, now in enumerate(chosen)]
    most = None if flash is None else max(flash, flash_bytes(chosen))
    sizes = sorted({one.scratch_bytes for now in choices for one in now}, reverse=True)
    result = list(chosen)
    for size in sizes:
        below = _below(chosen, choices, size)
        limited = [candidates[0] if candidates else None for candidates in below]
        if most is not None and flash_bytes(limited) > most:
            limited = cheapest(below, most)
        taken = laid_out.data_bytes(limited)
        if taken > needed:
            continue
        result, needed = limited, taken
        if hold(needed):
            break
    else:
        return result
    return _restored(laid_out, result, choices, hold, most)


def _below(
    chosen: Sequence[Candidate | None], choices: Sequence[Sequence[Candidate]], scratch: int
) -> list[list[Candidate]]:
    """The candidates of so much scratch memory, in order of cycles, from the present ones on where these have no more.

    Args:
        chosen: The present ones; stages where none have so little keep theirs.
        choices: All, by stage, in order of cycles.
        scratch: Bytes.
    """

    def of_stage(now: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
        fit = [one for one in candidates if one.scratch_bytes <= scratch]
        if now.scratch_bytes <= scratch:
            return [now, *(one for one in fit if one.price.cycles > now.price.cycles)]
        return fit or [now]

    return [
        [] if now is None else of_stage(now, candidates)
        for now, candidates in zip(chosen, choices, strict=True)
    ]


def _restored(
    laid_out: LaidOut,
    chosen: Sequence[Candidate | None],
    choices: Sequence[Sequence[Candidate]],
    hold: Callable[[int], bool],
    flash: int | None,
) -> list[Candidate | None]:
    """Gives stages faster candidates as long as everything fits, those first that gain most."""
    result = list(chosen)

    def gains() -> list[tuple[int, int, Candidate]]:
        found = []
        for index, (now, candidates) in enumerate(zip(result, choices, strict=True)):
            for one in candidates if now is not None else ():
                assert now is not None
                if one.price.cycles < now.price.cycles:
                    found.append((now.price.cycles - one.price.cycles, index, one))
        return sorted(found, key=lambda gain: -gain[0])

    again = True
    while again:
        again = False
        for _, index, one in gains():
            tried = [*result[:index], one, *result[index + 1 :]]
            if (flash is None or flash_bytes(tried) <= flash) and hold(laid_out.data_bytes(tried)):
                result, again = tried, True
                break
    return result
