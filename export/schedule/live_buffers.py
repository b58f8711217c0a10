"""The buffers of the arena, with the first and the last layer that needs each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from export.schedule.stage import Schedule


@dataclass(frozen=True)
class LiveBuffer:
    """The stay in the arena of an activation, or of the memory that a layer's kernels work in.

    Attributes:
        tensor: Index in the graph of what was written there; None for what kernels work in.
        offset: Bytes from the start of the arena.
        size: Bytes, borders included.
        first: The layer that writes it.
        last: The last layer that reads it.
    """

    tensor: int | None
    offset: int
    size: int
    first: int
    last: int


def live_buffers(schedule: Schedule) -> tuple[LiveBuffer, ...]:
    """Every activation that lies in the arena, and all scratch memory, in the order in which they are written.

    A reshape that costs nothing leaves its input where it is, and a sum computed in place takes over from its
    summand: what lies there stays until its last reader has run.
    """
    found: list[LiveBuffer] = []
    newest: dict[int, int] = {}  # offset -> the last one written there
    for number, stage in enumerate(schedule.stages):
        for buffer in stage.reads:
            if buffer.place == "arena":
                at = newest[buffer.offset]
                found[at] = replace(found[at], last=number)
        buffer = stage.writes
        if stage.add is not None:
            at = newest[buffer.offset]
            found[at] = replace(found[at], last=number)
        elif buffer.place == "arena":
            newest[buffer.offset] = len(found)
            found.append(LiveBuffer(buffer.tensor, buffer.offset, buffer.layout.size_bytes, number, number))
        if stage.scratch_bytes:
            found.append(LiveBuffer(None, stage.scratch_offset, stage.scratch_bytes, number, number))
    return tuple(found)
