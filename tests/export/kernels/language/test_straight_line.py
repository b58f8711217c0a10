"""Straight-line code: whatever order and registers are found, what is stored is what the block was written to store."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.kernels.language.instruction_set import MACROS, Operand
from export.kernels.language.instructions import instructions
from export.kernels.language.operands import use_of
from export.kernels.language.scheduler import OutOfRegistersError
from export.kernels.language.steps import Step
from export.kernels.language.straight_line import StraightLine
from export.targets import CORES, block_cycles
from export.targets.timing import Pairing

Term = tuple[object, ...]
"""What a value was computed from: a macro's name and its arguments, registers replaced by the terms in them."""

MAKERS = (
    "LDR",
    "LDRC",
    "DOT",
    "MAC",
    "SUM",
    "SUM_LEFT",
    "MAX",
    "PRODUCT_PLUS",
    "SATURATED",
    "AT_LEAST",
    "IF_NEGATIVE",
)
NUMBERS = st.integers(0, 7)
ENTRY: dict[str, Term] = {"r0": ("entry", "r0"), "r1": ("entry", "r1"), "%held": ("entry", "held")}
TIMINGS = [core.timing for core in CORES.values() if core.timing is not None]
POOL = ("r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "r2")


class Writer:
    """Writes a random block, and what it means, in the order of writing."""

    def __init__(self, data: st.DataObject) -> None:
        self.block = StraightLine()
        self.effects: Counter[Term] = Counter()
        self.values = 0
        self._data = data
        self._terms: dict[str, Term] = dict(ENTRY)
        self._slots: dict[int, Term] = {slot: ("slot", slot) for slot in range(8)}
        for _ in range(data.draw(st.integers(1, 25))):
            data.draw(
                st.sampled_from((self._make, self._make, self._make, self._store, self._save, self._fetch))
            )()
        for value in list(self._terms):
            self._store(value)

    def _operand(self, *, tied: bool = False) -> str:
        held = [name for name in self._terms if not tied or name.startswith("%")]
        return self._data.draw(st.sampled_from(held))

    def _make(self) -> None:
        name = self._data.draw(st.sampled_from(MAKERS))
        use = use_of(name)
        if use.tied and all(not value.startswith("%") for value in self._terms):
            return
        args: list[str | int] = []
        for place, kind in enumerate(MACROS[name].parameters.values()):
            if place == use.result and not use.tied:
                continue
            register = kind is Operand.REGISTER
            args.append(self._operand(tied=place == use.result) if register else self._data.draw(NUMBERS))
        term = (name, *(self._terms[arg] if isinstance(arg, str) else arg for arg in args))
        result = self.block.value(name, *args)
        self.values += 1
        if use.tied:
            del self._terms[str(args[use.result])]
        self._terms[result] = term

    def _store(self, value: str = "") -> None:
        value, base, offset = value or self._operand(), "r0", self._data.draw(NUMBERS)
        self.block.effect("STR", value, base, offset)
        self.effects["STR", self._terms[value], self._terms[base], offset] += 1

    def _save(self) -> None:
        value, slot = self._operand(), self._data.draw(NUMBERS)
        self.block.save(value, slot)
        self._slots[slot] = self._terms[value]

    def _fetch(self) -> None:
        slot = self._data.draw(NUMBERS)
        self._terms[self.block.fetch(slot)] = self._slots[slot]
        self.values += 1


def effects_of(steps: list[Step], held: str) -> Counter[Term]:
    """What steps store, and in terms of what."""
    registers: dict[str, Term] = {name: ENTRY[name] for name in ("r0", "r1")} | {held: ENTRY["%held"]}
    slots: dict[int, Term] = {slot: ("slot", slot) for slot in range(8)}
    effects: Counter[Term] = Counter()
    for step in steps:
        if step.name == "SAVE":
            slots[int(step.args[1])] = registers[str(step.args[0])]
        elif step.name == "FETCH":
            registers[str(step.args[0])] = slots[int(step.args[1])]
        else:
            use = use_of(step.name)
            read = [arg for place, arg in enumerate(step.args) if use.tied or place != use.result]
            term = (step.name, *(registers[arg] if isinstance(arg, str) else arg for arg in read))
            if use.result is None:
                effects[term] += 1
            else:
                registers[str(step.args[use.result])] = term
    return effects


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_stored_depends_neither_on_the_order_nor_on_the_registers(data: st.DataObject) -> None:
    writer = Writer(data)
    pool = POOL[: data.draw(st.integers(1, len(POOL)))]
    timing = data.draw(st.sampled_from(TIMINGS))
    try:
        steps = writer.block.steps(pool, timing, {"%held": pool[0]})
    except OutOfRegistersError:
        assert writer.values >= len(pool)
        return
    assert effects_of(steps, pool[0]) == writer.effects
    written = {step.args[use_of(step.name).result] for step in steps if use_of(step.name).result is not None}
    assert written <= set(pool)
    code = [one for step in steps for one in instructions(step)]
    assert timing.pairing is not Pairing.NONE or block_cycles(code, timing) >= writer.block.least_cycles


def test_other_readers_of_an_operand_come_before_what_replaces_it() -> None:
    """The load that the product waits for would otherwise come last, behind the sum that takes over the register."""
    block = StraightLine()
    first, second = block.value("LDR", "r0", 0), block.value("LDR", "r0", 4)
    product = block.value("PRODUCT_PLUS", first, second, block.value("LDR", "r0", 8))
    total = block.value("MAC", first, second, second)
    block.effect("STR", total, "r1", 0)
    block.effect("STR", product, "r1", 4)
    for timing in TIMINGS:
        names = [step.name for step in block.steps(POOL, timing)]
        assert names.index("PRODUCT_PLUS") < names.index("MAC")


def test_an_operand_that_has_been_replaced_cannot_be_read() -> None:
    block = StraightLine()
    value = block.value("LDR", "r0", 0)
    block.value("AT_LEAST", value, 0)
    with pytest.raises(ValueError, match="its register went to another value"):
        block.save(value, 0)


def test_too_few_registers_are_said() -> None:
    block = StraightLine()
    values = [block.value("LDR", "r0", 4 * place) for place in range(2)]
    block.effect("STR", block.value("DOT", *values), "r0", 8)
    with pytest.raises(OutOfRegistersError, match="4 operations need more than the 1 registers"):
        block.steps(POOL[:1], TIMINGS[0])
