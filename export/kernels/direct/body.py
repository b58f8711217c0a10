"""The straight-line part of a kernel: operand order, loads and registers of one block of channels and positions.

Skipped products do not appear. Positions next to each other share inputs: what position p + 1 reads at one kernel
column, position p reads at another, so a pair that is still in a register is not loaded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from export.kernels.language.steps import NEAR, POSITIONS, WEIGHTS, Step, load, move, step


@dataclass(frozen=True, slots=True)
class Operand:
    """A pair of products.

    Attributes:
        address: Byte offset of the word that holds the input pair from the block's first input, for position 0.
        row: Byte offset of the kernel row the pair belongs to; at most `address`.
        channel: Output channel within the block.
        word: The two scaled weights, input channel 2k in the low half.
        half: Which half of four int8 inputs the pair is; None where inputs are int16.
    """

    address: int
    row: int
    channel: int
    word: int
    half: int | None = None


_Key = tuple[int, int | None]
_WIDEN = ("EVEN", "ODD")


@dataclass
class Body:
    """A scheduled body.

    Attributes:
        steps: In order.
        words: The weights in the order of the stream.
        moved: Bytes by which the input pointer has moved at the end.
    """

    steps: list[Step] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    moved: int = 0


class _Inputs:
    """Which input pair each x register holds. Loads what is missing, moves the input pointer into reach."""

    def __init__(self, body: Body, offsets: Sequence[int]) -> None:
        self._body = body
        self._offsets = offsets
        self._held: dict[str, _Key | None] = dict.fromkeys(POSITIONS)

    def keys(self, operand: Operand) -> list[_Key]:
        return [(operand.address + offset, operand.half) for offset in self._offsets]

    def require(self, operand: Operand, also: Operand | None = None) -> list[tuple[int, str]]:
        """Loads the operand's pairs.

        Args:
            operand: What is computed next.
            also: What follows; its pairs are loaded too where registers are left and one pointer reaches both.

        Returns:
            (position, register) of each pair, those that were in registers before first, so that nothing waits for a
            load if it can be helped.
        """
        wanted = self.keys(operand)
        if also is not None:
            more = [key for key in self.keys(also) if key not in wanted]
            both = [*wanted, *more]
            addresses = [address for address, _ in both]
            if len(both) <= len(POSITIONS) and max(addresses) - min(addresses) <= NEAR:
                wanted = both
        self._reach(wanted, operand.row)
        held = {key: register for register, key in self._held.items()}
        before = set(held)
        free = [register for register, key in self._held.items() if key not in wanted]
        widened = []
        for key in wanted:
            if key not in held:
                held[key] = register = free.pop(0)
                self._held[register] = key
                address, half = key
                self._body.steps.append(step("X", register, address - self._body.moved))
                if half is not None:
                    widened.append(step(_WIDEN[half], register))
        self._body.steps += widened
        pairs = list(enumerate(self.keys(operand)))
        pairs.sort(key=lambda pair: pair[1] not in before)
        return [(position, held[key]) for position, key in pairs]

    def _reach(self, wanted: Sequence[_Key], row: int) -> None:
        missing = [key[0] for key in wanted if key not in self._held.values()]
        if all(0 <= address - self._body.moved <= NEAR for address in missing):
            return
        base = row if max(missing) - row <= NEAR else min(wanted)[0]
        steps = move("in", base - self._body.moved)
        if steps[0].name.endswith("FAR"):
            self._held["x0"] = None
        self._body.steps += steps
        self._body.moved = base


def schedule_body(
    operands: Iterable[Operand],
    offsets: Sequence[int],
    products: Callable[[int, int, str, str], Sequence[Step]],
) -> Body:
    """Schedules the products of a block.

    Weights come from the stream in groups of two, inputs when they are needed.

    Args:
        operands: In the order they are computed, those of one address next to each other.
        offsets: Byte offset of each position's inputs from position 0's; one or two positions, within reach of a load.
        products: Steps that multiply, given the operand's channel, the position, and the registers of input and weight.
    """
    body = Body()
    inputs = _Inputs(body, offsets)
    pending = list(operands)
    for start in range(0, len(pending), len(WEIGHTS)):
        group = pending[start : start + len(WEIGHTS)]
        inputs.require(group[0], group[-1])
        body.steps.append(load(WEIGHTS[: len(group)]))
        for operand, weight in zip(group, WEIGHTS, strict=False):
            for position, register in inputs.require(operand):
                body.steps += products(operand.channel, position, register, weight)
            body.words.append(operand.word)
    return body
