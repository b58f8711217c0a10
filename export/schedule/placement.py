"""Where buffers lie in the arena, with the scratch memory of chosen kernels, and which kernels fit the RAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from export.costing.candidate import Candidate
from export.ir.graph import Graph
from export.schedule.arena import Lifetime, plan
from export.schedule.layouts import root
from export.schedule.stage import Buffer, Schedule, Stage


@dataclass(frozen=True)
class LaidOut:
    """A network whose kernels are not chosen yet.

    Attributes:
        graph: the network.
        stages: in execution order, buffers without offsets.
        owners: which tensors lie in the buffer of another one.
        state_bytes: memory of the states.
    """

    graph: Graph
    stages: tuple[Stage, ...]
    owners: Mapping[int, int]
    state_bytes: int

    def placed(self, chosen: Sequence[Candidate | None], copies: Sequence[frozenset[int]]) -> Schedule:
        """Gives every stage its candidate, and every arena buffer its offset.

        Args:
            chosen: one a stage; None for plain C.
            copies: which of a candidate's kernels run as copies from RAM, one set a stage.
        """
        stages = [
            replace(stage, candidate=candidate, copied=copied)
            for stage, candidate, copied in zip(self.stages, chosen, copies, strict=True)
        ]
        lifetimes = self._lifetimes(stages)
        offsets, total = plan(list(lifetimes.values()))
        where = dict(zip(lifetimes, offsets, strict=True))

        def moved(used: Buffer) -> Buffer:
            if used.place != "arena":
                return used
            return replace(used, offset=where["tensor", root(used.tensor, self.owners)])

        result = [
            replace(
                stage,
                reads=tuple(map(moved, stage.reads)),
                writes=moved(stage.writes),
                scratch_offset=where.get(("scratch", number), 0),
            )
            for number, stage in enumerate(stages)
        ]
        return Schedule(self.graph, tuple(result), total, self.state_bytes)

    def data_bytes(self, chosen: Sequence[Candidate | None]) -> int:
        """Bytes of the arena and of the states with these candidates."""
        stages = [
            replace(stage, candidate=candidate) for stage, candidate in zip(self.stages, chosen, strict=True)
        ]
        return plan(list(self._lifetimes(stages).values()))[1] + self.state_bytes

    def _lifetimes(self, stages: Sequence[Stage]) -> dict[tuple[str, int], Lifetime]:
        """Of every buffer in the arena: those of tensors, and the scratch memory of stages."""
        found: dict[tuple[str, int], Lifetime] = {}
        for number, stage in enumerate(stages):
            for used in (*stage.reads, stage.writes):
                if used.place == "arena":
                    key = "tensor", root(used.tensor, self.owners)
                    before = found.get(key, Lifetime(0, number, number))
                    found[key] = Lifetime(max(used.layout.size_bytes, before.size), before.first, number)
            if stage.scratch_bytes:
                found["scratch", number] = Lifetime(stage.scratch_bytes, number, number)
        return found


def fit_ram(
    laid_out: LaidOut,
    chosen: Sequence[Candidate | None],
    more: Callable[[int], Sequence[Candidate]],
    hold: Callable[[int], bool],
) -> list[Candidate | None]:
    """Takes kernels with less scratch memory until all data fits, those first that lose fewest cycles for a byte.

    Args:
        laid_out: the network.
        chosen: a candidate for each stage, or None for plain C.
        more: gives the candidates for a stage, in order of cycles.
        hold: whether there is memory for so many bytes of data.

    Returns:
        A candidate for each stage; over the limit still if no choice fits.
    """
    result = list(chosen)
    total = laid_out.data_bytes(result)
    while not hold(total):
        best: tuple[float, int, Candidate, int] | None = None
        for index, now in enumerate(result):
            if now is None or not now.scratch_bytes:
                continue
            for other in more(index):
                if other.scratch_bytes >= now.scratch_bytes or other.cost.flash_bytes > now.cost.flash_bytes:
                    continue
                size = laid_out.data_bytes([*result[:index], other, *result[index + 1 :]])
                if size >= total:
                    continue
                lost = max(0, other.price.cycles - now.price.cycles) / (total - size)
                if best is None or lost < best[0]:
                    best = (lost, index, other, size)
        if best is None:
            break
        _, index, candidate, total = best
        result[index] = candidate
    return result
