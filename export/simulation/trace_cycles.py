"""Cycles of a trace: every executed block priced by the timing model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from export.simulation.accesses import Line
from export.simulation.listing import Listing
from export.simulation.tracer import CALLER, Trace
from export.targets import Instruction, Memory, Timing, arrival_cycles, block_cycles, entered
from export.targets.assembly import decode

_SEAM = 16  # instructions on either side of a seam between blocks that can still feel each other


@dataclass(frozen=True)
class BlockCounts:
    """Totals by the address of the block they belong to; waits by every reading of the documents."""

    cycles: Counter[int]
    instructions: Counter[int]
    waits: tuple[Counter[int], ...]


class TracePricer:
    """Prices traces of one image; blocks are decoded and priced once.

    A block is priced as if entered with an empty pipeline. Where control falls through into the next one, the
    difference between the two priced together and apart is added, so that latencies and pairs reach across;
    a taken branch refills the pipeline, which outlasts them, for as long as its target's alignment makes it.

    Args:
        listing: The program's code.
        timing: The core's pipeline.
        memories: What loads read by their addresses, where that is known.
    """

    def __init__(self, listing: Listing, timing: Timing, memories: Mapping[int, Memory]) -> None:
        self._listing = listing
        self._timing = timing
        self._memories = memories
        self._blocks: dict[tuple[int, int], tuple[Instruction, ...]] = {}
        self._costs: dict[tuple[int, int, bool], int] = {}
        self._seams: dict[tuple[int, int, int, int], int] = {}

    def price(self, trace: Trace) -> BlockCounts:
        """Returns cycles, instructions and waits of every block.

        Raises:
            SimulationError: A block holds an instruction without known timing.
        """
        blocks = [(int(address), int(size)) for address, size in trace.blocks]
        waits: tuple[Counter[int], ...] = tuple(Counter() for _ in range(trace.waits.shape[1]))
        for total, column in zip(waits, trace.waits.T.tolist(), strict=True):
            for (address, _), waited in zip(blocks, column, strict=True):
                total[address] += waited
        totals = BlockCounts(Counter(), Counter(), waits)
        for (source, target), count in zip(trace.edges.tolist(), trace.counts.tolist(), strict=True):
            if count == 0 or source == CALLER:
                continue
            address, size = blocks[source]
            falls_through = target != CALLER and blocks[target][0] == address + size
            totals.cycles[address] += count * self._cost(address, size, not falls_through)
            totals.instructions[address] += count * len(self._block(address, size))
            if falls_through:
                totals.cycles[blocks[target][0]] += count * self._seam((address, size), blocks[target])
            elif target != CALLER:
                start = blocks[target][0]
                first = self._block(*blocks[target])[0]
                totals.cycles[start] += count * arrival_cycles(first, start, self._timing)
        return totals

    def _block(self, address: int, size: int) -> tuple[Instruction, ...]:
        key = (address, size)
        if key not in self._blocks:
            self._blocks[key] = tuple(self._instruction(line) for line in self._listing.block(address, size))
        return self._blocks[key]

    def _instruction(self, line: Line) -> Instruction:
        instruction = decode(line.mnemonic, line.operands, 8 * line.length)
        memory = self._memories.get(line.address, instruction.memory)
        return instruction if memory is instruction.memory else replace(instruction, memory=memory)

    def _cost(self, address: int, size: int, taken: bool) -> int:
        key = (address, size, taken)
        if key not in self._costs:
            self._costs[key] = block_cycles(self._block(address, size), self._timing, taken, entered(address))
        return self._costs[key]

    def _seam(self, first: tuple[int, int], second: tuple[int, int]) -> int:
        key = (*first, *second)
        if key not in self._seams:
            timing = self._timing
            before, after = self._block(*first)[-_SEAM:], self._block(*second)[:_SEAM]
            start = entered(second[0] - sum(instruction.width for instruction in before) // 8)
            together = block_cycles(before + after, timing, before=start)
            apart = block_cycles(before, timing, before=start)
            apart += block_cycles(after, timing, before=entered(second[0]))
            self._seams[key] = together - apart
        return self._seams[key]
