"""Orders the operations of straight-line code for a core's latencies, and gives their values registers.

Greedy list scheduling, several times with other preferences; the order of fewest cycles is taken. Orders are found once
for every structure of operations, whatever their immediates.
"""

from __future__ import annotations

import random
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from export.errors import ExportError
from export.kernels.language.instruction_set import MACROS, Operand
from export.kernels.language.instructions import instructions
from export.kernels.language.operands import Use, register_places, use_of
from export.kernels.language.steps import Step
from export.targets import Instruction, Kind, Timing, block_cycles
from export.targets.instruction import LOADS, STORES

VIRTUAL = "%"
"""What the names of values start with."""

_WINDOWS = (24, 18, 14, 11, 9, 7, 6, 5, 4, 3, 2, 1)
_LAZY_WINDOWS = (32, 18, 12, 8, 5)
_TRIES = 24  # random orders beside those, while there are stalls
_LAZY = 0.7  # how many of them are lazy on cores that pipeline loads
_OFTEN = 0.8  # how often a random order takes the first operation that need not wait


class OutOfRegistersError(ExportError):
    """More values are alive at once than there are registers."""


Structure = tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...]
"""For each operation its macro, the registers and values among its arguments, and which operations must come first. A
macro that reads the register it writes is followed by = and the value that it makes."""
Order = tuple[tuple[int, ...], tuple[tuple[str, ...], ...]]
"""Indices of the operations, and the registers of each."""


@lru_cache(maxsize=512)
def schedule(
    structure: Structure, registers: tuple[str, ...], timing: Timing, held: tuple[tuple[str, str], ...]
) -> Order:
    """The order of fewest cycles among several, and the registers of each operation in it."""
    block = _Block(structure, registers, timing, dict(held))
    best: tuple[int, Order] | None = None
    rng = random.Random(0)
    attempts = [_Preference(window) for window in _WINDOWS]
    if timing.pipelined_loads:
        attempts += [_Preference(window, spare, True) for window in _LAZY_WINDOWS for spare in range(4)]
    for _ in range(_TRIES):
        lazy = timing.pipelined_loads and rng.random() < _LAZY
        attempts.append(
            _Preference(rng.choice((3, 4, 5, 6, 7, 8, 10, 12)), rng.randrange(4) if lazy else 0, lazy, rng)
        )
    seen: set[Order] = set()
    for preference in attempts:
        order = block.order(preference)
        if order is None or order in seen:
            continue
        seen.add(order)
        cycles = block.cycles(order)
        if best is None or cycles < best[0]:
            best = (cycles, order)
        if best[0] <= block.least:
            break
    if best is None:
        raise OutOfRegistersError(
            f"{len(structure)} operations need more than the {len(registers)} registers they were given"
        )
    return best[1]


@dataclass(frozen=True)
class _Preference:
    """What an order prefers.

    Attributes:
        window: How far behind the first waiting operation it looks.
        spare: Registers that it keeps free as long as there is an operation that takes none.
        lazy: Whether it loads only when nothing else can be done, which makes loads follow each other.
        rng: Of a random order, which does not always take the best.
    """

    window: int
    spare: int = 0
    lazy: bool = False
    rng: random.Random | None = None


@dataclass
class _State:
    """How far an order has come.

    Attributes:
        where: The register of each value.
        left: How often each value is still read.
        ready: For each operation the first cycle in which its operands are there, as far as they have been made.
        free: Registers without a value.
        now: The cycle in which the next operation issues if it need not wait.
        loaded: Whether the last operation loaded.
    """

    where: dict[str, str]
    left: dict[str, int]
    ready: list[int]
    free: list[str] = field(default_factory=list)
    now: int = 0
    loaded: bool = False


@dataclass(frozen=True)
class _Operation:
    """An operation of a structure.

    Attributes:
        name: Of its macro.
        args: The registers and values among its arguments.
        use: What the macro does with them.
        operands: What it reads, each with how: "read", "late" or "address".
        result: The value it makes.
        taken_over: The value whose register the result takes, where the macro reads the register it writes.
        after: Operations that must come first.
    """

    name: str
    args: tuple[str, ...]
    use: Use
    operands: tuple[tuple[str, str], ...]
    result: str | None
    taken_over: str
    after: tuple[int, ...]

    @staticmethod
    def of(entry: tuple[str, tuple[str, ...], tuple[int, ...]]) -> _Operation:
        """That of an entry of a structure."""
        label, args, after = entry
        name, _, tied = label.partition("=")
        use = use_of(name)
        roles = dict.fromkeys(use.late, "late") | dict.fromkeys(use.reads, "read")
        roles |= dict.fromkeys(use.addresses, "address")
        values = dict(zip(register_places(name), args, strict=True))
        operands = tuple((value, roles[place]) for place, value in values.items() if place in roles)
        written = values[use.result] if use.result is not None else None
        return _Operation(name, args, use, operands, tied or written, (written or "") if tied else "", after)


class _Block:
    """A block to schedule: what does not change from order to order."""

    def __init__(
        self, structure: Structure, registers: tuple[str, ...], timing: Timing, held: dict[str, str]
    ) -> None:
        self._timing = timing
        self._registers = registers
        self._preferred = {register: place for place, register in enumerate(registers)}
        self._held = held
        operations = [_Operation.of(entry) for entry in structure]
        self.least = sum(operation.use.length for operation in operations)
        self._names = [operation.name for operation in operations]
        self._args = [operation.args for operation in operations]
        self._uses = [operation.use for operation in operations]
        self._results = [operation.result for operation in operations]
        self._taken_over = [operation.taken_over for operation in operations]
        self._loads = [operation.use.kind in LOADS for operation in operations]
        self._values = [Counter(value for value, _ in operation.operands) for operation in operations]
        self._counts = Counter(
            value for operation in operations for value, _ in operation.operands if value.startswith(VIRTUAL)
        )
        made = {operation.result: index for index, operation in enumerate(operations)}
        self._needs: list[set[int]] = []
        self._needed_by: list[list[int]] = [[] for _ in operations]
        self._taken_by: list[list[tuple[int, int]]] = [[] for _ in operations]
        for index, operation in enumerate(operations):
            makers = [(made[value], role) for value, role in operation.operands if value in made]
            needs = {maker for maker, _ in makers} | set(operation.after)
            self._needs.append(needs)
            for need in needs:
                self._needed_by[need].append(index)
            for maker, role in makers:
                self._taken_by[maker].append((index, self._latency(index, role, self._uses[maker].kind)))

    def _latency(self, index: int, role: str, maker: Kind) -> int:
        """Cycles from an operation of a kind to one that takes its result; as far as an order needs them."""
        timing, kind = self._timing, self._uses[index].kind
        cycles = timing.latency.get(maker, 1)
        if role == "address":
            return timing.address_latency.get(maker, cycles)
        if role == "late" and kind not in STORES:
            return timing.accumulate_latency.get(maker, cycles)
        return timing.operand_latency.get(kind, timing.latency).get(maker, cycles)

    def cycles(self, order: Order) -> int:
        """Cycles by the pipeline's own rules."""
        code: list[Instruction] = []
        for index, registers in zip(*order, strict=True):
            code += _code(self._names[index], registers)
        return block_cycles(code, self._timing)

    def order(self, preference: _Preference) -> Order | None:
        """A greedy order: the first operation within a window that need not wait, and for which there is a register."""
        state = _State(dict(self._held), dict(self._counts), [0] * len(self._names))
        state.free = [register for register in self._registers if register not in state.where.values()]
        unmet = [len(needs) for needs in self._needs]
        possible = [index for index, count in enumerate(unmet) if not count]
        waiting = [True] * len(self._names)
        order: list[int] = []
        first = 0  # of those that wait
        while len(order) < len(self._names):
            while not waiting[first]:
                first += 1
            chosen = self._choose(possible, first + preference.window, state, preference)
            if chosen is None:
                return None
            stall, index = chosen
            self._issue(index, stall, state)
            order.append(index)
            waiting[index] = False
            possible.remove(index)
            for other in self._needed_by[index]:
                unmet[other] -= 1
                if not unmet[other]:
                    insort(possible, other)
        where = state.where
        return tuple(order), tuple(
            tuple(where.get(value, value) for value in self._args[index]) for index in order
        )

    def _choose(
        self, possible: Sequence[int], bound: int, state: _State, preference: _Preference
    ) -> tuple[int, int] | None:
        """Cycles to wait for the operation that an order takes next, and its index; None if no register is free."""
        best: tuple[int, int, int] | None = None
        follows = self._timing.pipelined_loads and state.loaded
        free, lazy, rng = len(state.free), preference.lazy, preference.rng
        for index in possible:
            if index > bound and best is not None:
                break
            if not free and not self._has_register(index, 0, state):
                continue
            wait = max(0, state.ready[index] - state.now)
            load = self._loads[index]
            if follows and not load:
                wait += 1  # a load that no load follows takes another cycle
            penalty = 0
            if lazy:
                penalty = int(load and not state.loaded)
                penalty += 2 * (not self._has_register(index, free - preference.spare, state))
            if best is None or (wait + penalty, wait) < best[:2]:
                best = (wait + penalty, wait, index)
            if wait + penalty == 0 and (rng is None or rng.random() < _OFTEN):
                break
        return None if best is None else best[1:]

    def _has_register(self, index: int, free: int, state: _State) -> bool:
        """Whether an operation finds a register for its result, if so many are free."""
        if free > 0 or self._results[index] is None or self._uses[index].tied:
            return True
        return any(
            state.left.get(value) == count and state.where[value] in self._preferred
            for value, count in self._values[index].items()
        )

    def _issue(self, index: int, stall: int, state: _State) -> None:
        """Appends an operation to an order, which gives its result a register and frees those of values used up."""
        where, left, free = state.where, state.left, state.free
        use = self._uses[index]
        result = self._results[index]
        state.now += stall
        released = []
        for value, count in self._values[index].items():
            if value in left:
                left[value] -= count
                if left[value] == 0 and where[value] in self._preferred:
                    released.append(where[value])
        if result is not None and use.tied:
            takes_over = self._taken_over[index]
            where[result] = where.get(takes_over, takes_over)
            if where[result] in released:
                released.remove(where[result])
        free += released
        if result is not None and not use.tied:
            where[result] = min(free, key=self._preferred.__getitem__)
            free.remove(where[result])
        if result is not None and left.get(result, 0) == 0 and where[result] in self._preferred:
            free.append(where[result])
        for user, latency in self._taken_by[index]:
            state.ready[user] = max(state.ready[user], state.now + latency)
        state.loaded = self._loads[index]
        state.now += use.length


@lru_cache(maxsize=1 << 14)
def _code(name: str, registers: tuple[str, ...]) -> tuple[Instruction, ...]:
    """The instructions of a macro; of numbers it has some that suit any macro, since orders do not depend on them."""
    found = iter(registers)
    kinds = MACROS[name].parameters.values()
    args = tuple(next(found) if kind is Operand.REGISTER else 128 for kind in kinds)
    return tuple(instructions(Step(name, args)))
