"""Code that turns a sum into a stored output: scaling, clamping, a fused Add."""

from __future__ import annotations

from dataclasses import dataclass

from export.kernels.direct.loops import Sum
from export.kernels.language.addresses import Addresses
from export.kernels.language.steps import WORD
from export.kernels.language.straight_line import StraightLine
from export.kernels.winograd.algorithm import Algorithm
from export.kernels.winograd.requantization import Form

ADD_TABLE, ADD_RATE = 0, 1
"""Stack slots of a fused Add: the address of its table, and its multiplier."""

_BIAS, _MULTIPLIER, _ADDEND, _NEGATIVE, _SHIFT, _INVERSE = range(6)


@dataclass(frozen=True)
class Target:
    """How outputs lie.

    Attributes:
        pixel: Bytes from one output to the next in a row, after pooling.
        row: Bytes from one row to the next, after pooling.
        channel: Bytes from one channel of a block to the next.
        element: Bytes of an output.
        pooled: Whether a 2 x 2 max pool of stride 2 is fused.
        sum: The Add fused behind, or None.
    """

    pixel: int
    row: int
    channel: int
    element: int
    pooled: bool
    sum: Sum | None


@dataclass(frozen=True)
class Held:
    """What stays in registers from one output to the next, in place of being loaded for each.

    Attributes:
        constants: Of the channel's requantization.
        table: The address of a fused Add's table.
        rate: Its multiplier.
    """

    constants: bool
    table: bool
    rate: bool

    @staticmethod
    def choices(form: Form, target: Target) -> tuple[Held, ...]:
        """What is worth trying; registers decide which of them is possible."""
        if target.sum is None:
            return (Held(form.lean, False, False),)
        flags = (True, False)
        return tuple(Held(c, t, r) for c in flags[not form.lean :] for t in flags for r in flags)


class Outputs:
    """Writes outputs of one channel: r1 points to the first one.

    Args:
        code: Where to.
        constants: Register or value that points to the channel's constants.
        algorithm: The one that computed the sums.
        form: Of the requantization.
        target: Of the outputs.
        held: What stays in registers from output to output.
    """

    def __init__(
        self,
        code: StraightLine,
        constants: str,
        algorithm: Algorithm,
        form: Form,
        target: Target,
        held: Held,
    ) -> None:
        self._code, self._algorithm, self._form, self._target = code, algorithm, form, target
        self._addresses = Addresses(code, "r1")
        self._constants = constants
        self._holds = held
        self._held: dict[int, str] = {}
        self._held_slots: dict[int, str] = {}

    def release(self, constants: str) -> None:
        """Forgets what is held in registers; the channel's constants are found at another register from now on."""
        self._constants = constants
        self._held.clear()
        self._held_slots.clear()

    def biased(self, value: str) -> str:
        """Adds the bias to one of the sums that go into every output once, if this is where the form adds it."""
        return self._code.value("SUM", value, self._constant(_BIAS)) if self._form.lean else value

    def comparable(self, value: str) -> str:
        """A sum whose order is that of the outputs."""
        if self._form.lean or self._algorithm.inverse == 1:
            return value
        return self._code.value("PRODUCT", value, self._constant(_INVERSE))

    def finish(self, value: str, row: int, column: int) -> None:
        """Requantizes a comparable sum and stores it."""
        value = self._clamped(self._scaled(value), self._form.low, self._form.high)
        base, offset = self._addresses.at(row * self._target.row + column * self._target.pixel)
        if self._target.sum is not None:
            value = self._added(value, self._target.sum, base, offset)
        self._code.effect("STRH" if self._target.element == 2 else "STRB", value, base, offset)

    def _constant(self, place: int) -> str:
        """One of the channel's constants."""
        if not self._holds.constants or place == _BIAS:
            return self._code.value("LDRC", self._constants, WORD * place)
        if place not in self._held:
            self._held[place] = self._code.value("LDRC", self._constants, WORD * place)
        return self._held[place]

    def _slot(self, slot: int, held: bool) -> str:
        """What a fused Add has in a stack slot."""
        if not held:
            return self._code.fetch(slot)
        if slot not in self._held_slots:
            self._held_slots[slot] = self._code.fetch(slot)
        return self._held_slots[slot]

    def _scaled(self, value: str) -> str:
        code, form = self._code, self._form
        if not form.lean:
            # All of the power of two but one bit: a direct convolution has doubled accumulators.
            value = code.value(
                "SUM_RIGHT", self._constant(_BIAS), value, self._algorithm.power.bit_length() - 2
            )
        addend = self._constant(_ADDEND)
        if form.signed:
            negative = code.value("IF_NEGATIVE", self._constant(_NEGATIVE), value)
            addend = code.value("SUM", negative, addend)
        name = "HIGH" if form.lean else "HIGH_ROUNDED"
        value = code.value(name, value, self._constant(_MULTIPLIER), addend)
        if form.shift is None:
            value = code.value("SHIFTED", value, self._constant(_SHIFT))
            return code.value("SATURATED0", value)
        return code.value("SATURATED", value, form.shift) if form.shift else code.value("SATURATED0", value)

    def _clamped(self, value: str, low: int | None, high: int | None) -> str:
        if low is not None:
            value = self._code.value("AT_LEAST", value, low)
        return value if high is None else self._code.value("AT_MOST", value, high)

    def _added(self, own: str, total: Sum, base: str, offset: int) -> str:
        """The sum with what lies where the output goes; see `addition.Addition`."""
        code = self._code
        other = code.value("LDRSH" if self._target.element == 2 else "LDRSB", base, offset)
        looked_up = code.value("LOOK", self._slot(ADD_TABLE, self._holds.table), other)
        value = code.value("PRODUCT_PLUS", own, self._slot(ADD_RATE, self._holds.rate), looked_up)
        return self._clamped(code.value("SATURATED", value, total.shift), total.low, total.high)
