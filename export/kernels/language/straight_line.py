"""Straight-line code over virtual registers.

A block is written as operations on values, in any order that computes them; `StraightLine.steps` has them ordered for a
core's latencies and each value given a register. There is no spilling: what does not fit is stored and fetched by the
writer. Ordering follows registers and stack slots only. Other accesses to memory are taken to be independent: a block
stores to one buffer and loads from another, or what it stores depends on its own load from the same address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from export.kernels.language.operands import use_of
from export.kernels.language.scheduler import VIRTUAL, schedule
from export.kernels.language.steps import Step
from export.targets import Timing


@dataclass(frozen=True)
class _Operation:
    """One macro on values.

    Attributes:
        name: Of the macro.
        args: Values, registers and numbers; the result itself at its position.
        after: Indices of operations that must come first, beside those of its operands.
    """

    name: str
    args: tuple[str | int, ...]
    after: tuple[int, ...] = ()


@dataclass
class StraightLine:
    """A block under construction. Values are names that start with %; other names are registers of the core."""

    _operations: list[_Operation] = field(default_factory=list)
    _values: int = 0
    _stores: dict[int, list[int]] = field(default_factory=dict)
    _fetches: dict[int, list[int]] = field(default_factory=dict)
    _readers: dict[str, list[int]] = field(default_factory=dict)
    _replaced: set[str] = field(default_factory=set)

    def value(self, name: str, *args: str | int) -> str:
        """Adds an operation and returns its result.

        Args:
            name: Of the macro.
            args: Its arguments without the result; where the result is an operand too, that operand, which it replaces.

        Raises:
            ValueError: An operand has been replaced.
        """
        use = use_of(name)
        assert use.result is not None
        result = self._new()
        self._read(args)
        if use.tied:
            replaced = str(args[use.result])
            before = tuple(i for i in self._readers[replaced] if i < len(self._operations))
            self._add(_Operation(name, args, before), result)
            self._replaced.add(replaced)
            return result
        whole = list(args)
        whole.insert(use.result, result)
        self._add(_Operation(name, tuple(whole)), None)
        return result

    def effect(self, name: str, *args: str | int) -> None:
        """Adds an operation without a result: a store."""
        assert use_of(name).result is None
        self._read(args)
        self._add(_Operation(name, args), None)

    def save(self, value: str, slot: int) -> None:
        """Stores a value in a stack slot."""
        self._read((value,))
        after = (*self._fetches.pop(slot, ()), *self._stores.get(slot, ()))
        self._stores[slot] = [len(self._operations)]
        self._add(_Operation("SAVE", (value, slot), tuple(after)), None)

    def fetch(self, slot: int) -> str:
        """Loads what was stored in a stack slot, or was there before."""
        result = self._new()
        self._fetches.setdefault(slot, []).append(len(self._operations))
        self._add(_Operation("FETCH", (result, slot), tuple(self._stores.get(slot, ()))), None)
        return result

    def _read(self, args: Sequence[str | int]) -> None:
        """Notes what the next operation reads: it must come before one that replaces it."""
        for value in args:
            if isinstance(value, str):
                if value in self._replaced:
                    raise ValueError(f"{value} is read after its register went to another value")
                self._readers.setdefault(value, []).append(len(self._operations))

    def _new(self) -> str:
        self._values += 1
        return f"{VIRTUAL}{self._values}"

    def _add(self, operation: _Operation, tied_result: str | None) -> None:
        if tied_result is not None:
            operation = _Operation(f"{operation.name}={tied_result}", operation.args, operation.after)
        self._operations.append(operation)

    @property
    def least_cycles(self) -> int:
        """Cycles of a core that issues one instruction a cycle and never waits: no order takes fewer."""
        return sum(use_of(operation.name.partition("=")[0]).issues for operation in self._operations)

    def steps(
        self, registers: Sequence[str], timing: Timing, held: Mapping[str, str] | None = None
    ) -> list[Step]:
        """Orders the operations and assigns registers.

        Args:
            registers: Free for values, those to prefer first.
            timing: The pipeline of the core to schedule for.
            held: Values that are in registers at the start, which become free once the value is used up.

        Raises:
            OutOfRegistersError: No order was found for which the registers suffice.
        """
        structure = tuple(
            (operation.name, tuple(a for a in operation.args if isinstance(a, str)), operation.after)
            for operation in self._operations
        )
        order, names = schedule(structure, tuple(registers), timing, tuple(sorted((held or {}).items())))
        steps = []
        for index, registers_of in zip(order, names, strict=True):
            operation = self._operations[index]
            found = iter(registers_of)
            args = tuple(next(found) if isinstance(a, str) else a for a in operation.args)
            steps.append(Step(operation.name.partition("=")[0], args))
        return steps
