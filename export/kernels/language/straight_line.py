"""Straight-line code over virtual registers: a list scheduler and a register allocator.

A block is written as operations on values, in any order that computes them; `StraightLine.steps` orders them for a
core's latencies and gives each value a register. There is no spilling: what does not fit is stored and fetched by the
writer. Ordering follows registers and stack slots only. Other accesses to memory are taken to be independent: a block
stores to one buffer and loads from another, or stores to a place what depends on its own load from there. Orders are
found once for every structure of operations, whatever their immediates.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from export.errors import ExportError
from export.kernels.language.instruction_set import MACROS, Macro, Operand
from export.kernels.language.instructions import instructions
from export.kernels.language.steps import Step
from export.targets import Instruction, Kind, Timing, block_cycles
from export.targets.instruction import LOADS, STORES

_VIRTUAL = "%"
_WINDOWS = (24, 18, 14, 11, 9, 7, 6, 5, 4, 3, 2, 1)
_LAZY_WINDOWS = (32, 18, 12, 8, 5)
_TRIES = 24  # random orders beside those, while there are stalls
_LAZY = 0.7  # how many of them are lazy on cores that pipeline loads
_OFTEN = 0.8  # how often a random order takes the first operation that need not wait
_PLACEHOLDERS = ("r0", "r2", "r4", "r6", "r8", "r10")


class OutOfRegistersError(ExportError):
    """More values are alive at once than there are registers."""


@dataclass(frozen=True)
class Use:
    """How a macro uses its register parameters, by their places among all parameters.

    Attributes:
        kind: of its first instruction.
        result: the place it writes, or None.
        tied: whether it reads that place too, so that the result takes over the operand's register.
        reads: places of ordinary operands.
        late: places of accumulators, and of what a store stores.
        addresses: places of addresses.
        length: instructions.
    """

    kind: Kind
    result: int | None
    tied: bool
    reads: tuple[int, ...]
    late: tuple[int, ...]
    addresses: tuple[int, ...]
    length: int


@cache
def use_of(name: str) -> Use:
    """Reads a macro's use of registers off its instructions."""
    macro: Macro = MACROS[name]
    places = [place for place, kind in enumerate(macro.parameters.values()) if kind is Operand.REGISTER]
    registers = dict(zip(places, _PLACEHOLDERS, strict=False))
    numbers = {place: int(register[1:]) for place, register in registers.items()}
    code = instructions(Step(name, tuple(registers.get(place, 1) for place in range(len(macro.parameters)))))
    written = [place for place in places if any(numbers[place] in one.writes for one in code)]
    if len(written) > 1:
        raise ValueError(
            f"{name} writes more than one register; straight-line code takes macros of one result"
        )

    def found(where: str) -> tuple[int, ...]:
        held: set[int] = set()
        seen: set[int] = set()
        for one in code:
            held |= set(getattr(one, where)) - seen
            seen |= set(one.writes)
        return tuple(place for place in places if numbers[place] in held)

    store = code[0].kind in STORES
    reads, late, addresses = found("reads"), found("accumulators"), found("address")
    result = written[0] if written else None
    tied = result is not None and result in (*reads, *late, *addresses)
    return Use(
        code[0].kind, result, tied, () if store else reads, reads if store else late, addresses, len(code)
    )


@dataclass(frozen=True)
class _Operation:
    """One macro on values.

    Attributes:
        name: of the macro.
        args: values, registers and numbers; the result's place holds the result.
        after: indices of operations that must come first, beside those of its operands.
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

    def value(self, name: str, *args: str | int) -> str:
        """Adds an operation and returns its result.

        Args:
            name: of the macro.
            args: its arguments without the result; where the result is an operand too, that operand, which it replaces.
        """
        use = use_of(name)
        assert use.result is not None
        result = self._new()
        whole = list(args)
        if use.tied:
            self._add(_Operation(name, tuple(whole), ()), result)
            return result
        whole.insert(use.result, result)
        self._add(_Operation(name, tuple(whole)), None)
        return result

    def effect(self, name: str, *args: str | int) -> None:
        """Adds an operation without a result: a store."""
        assert use_of(name).result is None
        self._add(_Operation(name, tuple(args)), None)

    def save(self, value: str, slot: int) -> None:
        """Stores a value in a stack slot."""
        after = (*self._fetches.pop(slot, ()), *self._stores.get(slot, ()))
        self._stores[slot] = [len(self._operations)]
        self._add(_Operation("SAVE", (value, slot), tuple(after)), None)

    def fetch(self, slot: int) -> str:
        """Loads what was stored in a stack slot, or was there before."""
        result = self._new()
        self._fetches.setdefault(slot, []).append(len(self._operations))
        self._add(_Operation("FETCH", (result, slot), tuple(self._stores.get(slot, ()))), None)
        return result

    def _new(self) -> str:
        self._values += 1
        return f"{_VIRTUAL}{self._values}"

    def _add(self, operation: _Operation, tied_result: str | None) -> None:
        if tied_result is not None:
            operation = _Operation(f"{operation.name}={tied_result}", operation.args, operation.after)
        self._operations.append(operation)

    def steps(
        self, registers: Sequence[str], timing: Timing, held: Mapping[str, str] | None = None
    ) -> list[Step]:
        """Orders the operations and assigns registers.

        Args:
            registers: free for values, those to prefer first.
            timing: the core's pipeline, whose cycles are to be few.
            held: values that are in registers at the start, which become free once the value is used up.

        Raises:
            OutOfRegistersError: no order was found for which the registers suffice.
        """
        structure = tuple(
            (operation.name, tuple(a for a in operation.args if isinstance(a, str)), operation.after)
            for operation in self._operations
        )
        order, names = _ordered(structure, tuple(registers), timing, tuple(sorted((held or {}).items())))
        steps = []
        for index, registers_of in zip(order, names, strict=True):
            operation = self._operations[index]
            found = iter(registers_of)
            args = tuple(next(found) if isinstance(a, str) else a for a in operation.args)
            steps.append(Step(operation.name.partition("=")[0], args))
        return steps


_Structure = tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...]
_Order = tuple[tuple[int, ...], tuple[tuple[str, ...], ...]]


@lru_cache(maxsize=512)
def _ordered(
    structure: _Structure, registers: tuple[str, ...], timing: Timing, held: tuple[tuple[str, str], ...]
) -> _Order:
    """The order of fewest cycles among several, and the registers of each operation in it."""
    problem = _Problem(structure, registers, timing, dict(held))
    best: tuple[int, _Order] | None = None
    rng = random.Random(0)
    attempts = [_Taste(window) for window in _WINDOWS]
    if timing.pipelined_loads:
        attempts += [_Taste(window, spare, True) for window in _LAZY_WINDOWS for spare in range(4)]
    for _ in range(_TRIES):
        lazy = timing.pipelined_loads and rng.random() < _LAZY
        attempts.append(
            _Taste(rng.choice((3, 4, 5, 6, 7, 8, 10, 12)), rng.randrange(4) if lazy else 0, lazy, rng)
        )
    for taste in attempts:
        order = problem.order(taste)
        if order is None:
            continue
        cycles = problem.cycles(order)
        if best is None or cycles < best[0]:
            best = (cycles, order)
        if best[0] <= problem.least:
            break
    if best is None:
        raise OutOfRegistersError(
            f"{len(structure)} operations need more than the {len(registers)} registers they were given"
        )
    return best[1]


@dataclass(frozen=True)
class _Taste:
    """What an order prefers.

    Attributes:
        window: how far behind the first waiting operation it looks.
        spare: registers that it keeps free as long as there is an operation that takes none.
        lazy: whether it loads only when nothing else can be done, which makes loads follow each other.
        rng: of a random order, which does not always take the best.
    """

    window: int
    spare: int = 0
    lazy: bool = False
    rng: random.Random | None = None


class _Problem:
    """What does not change from order to order."""

    def __init__(
        self, structure: _Structure, registers: tuple[str, ...], timing: Timing, held: dict[str, str]
    ) -> None:
        self._timing = timing
        self._registers = registers
        self._held = held
        self._names = [name.partition("=")[0] for name, _, _ in structure]
        self._args = [args for _, args, _ in structure]
        self._uses = [use_of(name) for name in self._names]
        self.least = sum(use.length for use in self._uses)
        made: dict[str, int] = {}
        self._results: list[str | None] = []
        self._operands: list[tuple[tuple[str, str], ...]] = []
        for index, (name, args, _) in enumerate(structure):
            use = self._uses[index]
            places = _register_places(self._names[index])
            roles = dict.fromkeys(use.late, "late") | dict.fromkeys(use.reads, "read")
            roles |= dict.fromkeys(use.addresses, "address")
            pairs = dict(zip(places, args, strict=True))
            self._operands.append(
                tuple((value, roles[place]) for place, value in pairs.items() if place in roles)
            )
            tied = name.partition("=")[2]
            result = tied or (pairs[use.result] if use.result is not None else None)
            self._results.append(result)
            if result is not None:
                made[result] = index
        self._needs = [
            {made[value] for value, _ in operands if value in made} | set(after)
            for operands, (_, _, after) in zip(self._operands, structure, strict=True)
        ]
        self._counts: dict[str, int] = {}
        for operands in self._operands:
            for value, _ in operands:
                if value.startswith(_VIRTUAL):
                    self._counts[value] = self._counts.get(value, 0) + 1

    def cycles(self, order: _Order) -> int:
        """Cycles by the pipeline's own rules."""
        code: list[Instruction] = []
        for index, registers in zip(*order, strict=True):
            code += instructions(self._step(index, registers))
        return block_cycles(code, self._timing)

    def _step(self, index: int, registers: Sequence[str]) -> Step:
        found = iter(registers)
        kinds = MACROS[self._names[index]].parameters.values()
        return Step(
            self._names[index], tuple(next(found) if kind is Operand.REGISTER else 128 for kind in kinds)
        )

    def order(self, taste: _Taste) -> _Order | None:
        """A greedy order: the first operation within a window that need not wait, and for which there is a register."""
        where = dict(self._held)
        free = [register for register in self._registers if register not in where.values()]
        left = dict(self._counts)
        issued: dict[str, tuple[int, Kind]] = {}
        done: set[int] = set()
        waiting = list(range(len(self._names)))
        order: list[int] = []
        names: list[tuple[str, ...]] = []
        now, loaded = 0, False
        while waiting:
            chosen = self._choose(waiting, done, where, free, left, issued, now, loaded, taste)
            if chosen is None:
                return None
            stall, index = chosen
            now += stall
            use = self._uses[index]
            operands = [value for value, _ in self._operands[index]]
            registers = {value: where.get(value, value) for value in operands}
            result = self._results[index]
            released = []
            for value in set(operands):
                if value in left:
                    left[value] -= operands.count(value)
                    if left[value] == 0 and where[value] in self._registers:
                        released.append(where[value])
            if result is not None and use.tied:
                takes_over = self._args[index][_register_places(self._names[index]).index(use.result or 0)]
                where[result] = where.get(takes_over, takes_over)
                if where[result] in released:
                    released.remove(where[result])
            free += released
            if result is not None and not use.tied:
                free.sort(key=self._registers.index)
                where[result] = free.pop(0)
                registers[result] = where[result]
            if result is not None:
                issued[result] = (now, use.kind)
                if left.get(result, 0) == 0 and where[result] in self._registers:
                    free.append(where[result])
            names.append(tuple(registers.get(value, where.get(value, value)) for value in self._args[index]))
            order.append(index)
            done.add(index)
            waiting.remove(index)
            loaded = use.kind in LOADS
            now += use.length
        return tuple(order), tuple(names)

    def _choose(
        self,
        waiting: list[int],
        done: set[int],
        where: Mapping[str, str],
        free: Sequence[str],
        left: Mapping[str, int],
        issued: Mapping[str, tuple[int, Kind]],
        now: int,
        loaded: bool,
        taste: _Taste,
    ) -> tuple[int, int] | None:
        best: tuple[int, int, int] | None = None
        bound = waiting[0] + taste.window
        for index in waiting:
            if index > bound and best is not None:
                break
            if not self._needs[index] <= done or not self._has_register(index, where, len(free), left):
                continue
            wait = max(0, self._ready(index, issued) - now)
            load = self._uses[index].kind in LOADS
            if self._timing.pipelined_loads and loaded and not load:
                wait += 1  # a load that no load follows takes another cycle
            dislike = 0
            if taste.lazy:
                dislike = int(load and not loaded)
                dislike += 2 * (not self._has_register(index, where, len(free) - taste.spare, left))
            if best is None or (wait + dislike, wait) < best[:2]:
                best = (wait + dislike, wait, index)
            if wait + dislike == 0 and (taste.rng is None or taste.rng.random() < _OFTEN):
                break
        return None if best is None else best[1:]

    def _has_register(self, index: int, where: Mapping[str, str], free: int, left: Mapping[str, int]) -> bool:
        """Whether an operation finds a register for its result, if so many are free."""
        result = self._results[index]
        if result is None or free > 0 or self._uses[index].tied:
            return True
        operands = [value for value, _ in self._operands[index]]
        return any(
            value in left and left[value] == operands.count(value) and where[value] in self._registers
            for value in operands
        )

    def _ready(self, index: int, issued: Mapping[str, tuple[int, Kind]]) -> int:
        """The first cycle in which its operands are there; the pipeline's rules, as far as an order needs them."""
        timing, kind, ready = self._timing, self._uses[index].kind, 0
        for value, role in self._operands[index]:
            if value not in issued:
                continue
            when, maker = issued[value]
            cycles = timing.latency.get(maker, 1)
            if role == "address":
                cycles = timing.address_latency.get(maker, cycles)
            elif role == "late" and kind not in STORES:
                cycles = timing.accumulate_latency.get(maker, cycles)
            else:
                cycles = timing.operand_latency.get(kind, timing.latency).get(maker, cycles)
            ready = max(ready, when + cycles)
        return ready


@cache
def _register_places(name: str) -> tuple[int, ...]:
    kinds = MACROS[name].parameters.values()
    return tuple(place for place, kind in enumerate(kinds) if kind is Operand.REGISTER)
