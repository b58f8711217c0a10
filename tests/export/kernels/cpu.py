"""Runs the kernel language as the Arm instructions its macros stand for, register by register.

Stricter than a core: registers that hold nothing yet cannot be read, every access must lie in a buffer, words must be
aligned, and immediates must fit their instructions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from export.ir.softmax import reciprocal
from export.kernels.language import NEAR, Step
from export.kernels.plan import Plan, Pointer

_IN, _WT, _W0, _W1, _OUT, _SPARE, _TO = "r0", "r1", "r2", "r3", "r4", "r5", "r14"
REGISTERS = {"in": _IN, "wt": _WT, "to": _TO, "x0": _OUT, "x1": _SPARE, "w0": _W0, "w1": _W1, "a7": _TO}
REGISTERS |= {f"a{i}": f"r{6 + i}" for i in range(7)}


def signed(value: int, bits: int = 32) -> int:
    """The low bits as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class Memory:
    """Buffers at addresses of their own, with gaps between them."""

    def __init__(self) -> None:
        self._buffers: dict[int, bytearray] = {}

    def place(self, content: bytearray) -> int:
        """Gives a buffer an address; it is shared, not copied."""
        start = 0x1000 * (1 + sum(-(-(len(b) + 1) // 0x1000) + 1 for b in self._buffers.values()))
        self._buffers[start] = content
        return start

    def _at(self, address: int, size: int) -> tuple[bytearray, int]:
        assert address % size == 0, f"access of {size} bytes at {address:#x}"
        for start, content in self._buffers.items():
            if start <= address and address + size <= start + len(content):
                return content, address - start
        raise AssertionError(f"access to {address:#x} outside of every buffer")

    def read(self, address: int, size: int) -> int:
        content, offset = self._at(address, size)
        return int.from_bytes(content[offset : offset + size], "little", signed=True)

    def write(self, address: int, size: int, value: int) -> None:
        content, offset = self._at(address, size)
        content[offset : offset + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


class Cpu:
    """One call of a kernel.

    Attributes:
        trace: the steps that ran, in order, labels left out.
    """

    def __init__(self, memory: Memory, source: int, stream: int, target: int, table: int) -> None:
        self._memory = memory
        self._registers: dict[str, int] = {_IN: source, _WT: stream, "r2": target, "r3": table}
        self._slots: dict[str | int, int] = {"out": target}
        self.trace: list[Step] = []

    def run(self, steps: Sequence[Step]) -> None:
        labels = {int(item.args[0]): i for i, item in enumerate(steps) if item.name == "LABEL"}
        assert len(labels) == sum(item.name == "LABEL" for item in steps), "labels of C must differ"
        position = 0
        while position < len(steps):
            item = steps[position]
            position += 1
            if item.name == "LABEL":
                continue
            self.trace.append(item)
            label = getattr(self, f"do_{item.name.lower()}")(*item.args)
            if label is not None:
                forward = item.name in ("SECOND", "PAST")
                assert (labels[label] >= position) == forward
                position = labels[label]

    def value(self, name: str) -> int:
        return self._registers[REGISTERS.get(name, name)]

    def assign(self, name: str, value: int) -> None:
        self._registers[REGISTERS.get(name, name)] = signed(value)

    def _immediate(self, value: int, most: int = NEAR) -> int:
        assert 0 <= value <= most
        return value

    # loads and products
    def do_x(self, x: str, at: int) -> None:
        self.assign(x, self._memory.read(self.value(_IN) + self._immediate(at), 4))

    def do_load(self, *names: str) -> None:
        numbers = [int(REGISTERS[name][1:]) for name in names]
        assert numbers == sorted(numbers)
        for name in names:
            self.assign(name, self._memory.read(self.value(_WT), 4))
            self.assign(_WT, self.value(_WT) + 4)

    do_load1 = do_load2 = do_load3 = do_load4 = do_load

    def do_copy(self, to: str, source: str) -> None:
        self.assign(to, self.value(source))

    def do_mac(self, a: str, x: str, w: str) -> None:
        self.do_mac_low(a, x, w)
        self.do_mac_high(a, x, w)

    def do_mac_low(self, a: str, x: str, w: str) -> None:
        self.assign(a, self.value(a) + signed(self.value(x), 16) * signed(self.value(w), 16))

    def do_mac_high(self, a: str, x: str, w: str) -> None:
        self.assign(a, self.value(a) + (self.value(x) >> 16) * (self.value(w) >> 16))

    def do_even(self, x: str) -> None:
        value = self.value(x)
        self.assign(x, (signed(value, 8) & 0xFFFF) | signed(value >> 16, 8) << 16)

    def do_odd(self, x: str) -> None:
        self.assign(x, self.value(x) >> 8)
        self.do_even(x)

    # pointers
    def do_add(self, p: str, n: int) -> None:
        self.assign(p, self.value(p) + self._immediate(n))

    def do_sub(self, p: str, n: int) -> None:
        self.assign(p, self.value(p) - self._immediate(n))

    def do_add_far(self, p: str, n: int) -> None:
        self.assign(_OUT, n)
        self.assign(p, self.value(p) + n)

    def do_sub_far(self, p: str, n: int) -> None:
        self.assign(_OUT, n)
        self.assign(p, self.value(p) - n)

    # requantization
    def _multiply(self, a: str, addend: int, rounding: int) -> None:
        self.assign(a, ((addend << 32) + self.value(a) * self.value(_W0) + rounding) >> 32)

    def do_scale(self, a: str) -> None:
        self._multiply(a, self.value(_W1), 1 << 31)

    def do_scale_signed(self, a: str) -> None:
        self.assign(_SPARE, self.value(_W1) + (self.value(a) >> 31))
        self._multiply(a, self.value(_SPARE), 1 << 31)

    def do_scale_floor(self, a: str) -> None:
        self._multiply(a, self.value(_W1), 0)

    def do_sign(self, t: str, a: str) -> None:
        self.assign(t, self.value(_W1) + (self.value(a) >> 31))

    def do_scale_by(self, a: str, t: str) -> None:
        self._multiply(a, self.value(t), 1 << 31)

    def do_divide(self, a: str, t: str) -> None:
        value = self.value(a)
        self.assign(t, value >> 31)
        self.assign(a, self.value(_W1) + (abs(value) << 1))
        self._multiply(a, 0, 0)
        self.assign(a, -self.value(a) if value < 0 else self.value(a))

    def do_shift(self, a: str) -> None:
        self.assign(a, self.value(a) >> self._immediate(self.value(_SPARE), 31))

    def do_saturate(self, a: str, n: int = 0) -> None:
        self.assign(a, max(-128, min(127, self.value(a) >> self._immediate(n, 31))))

    do_saturate0 = do_saturate

    def do_at_least(self, a: str, n: int) -> None:
        self.assign(a, max(self.value(a), n))

    def do_at_most(self, a: str, n: int) -> None:
        self.assign(a, min(self.value(a), n))

    def do_max(self, a: str, b: str) -> None:
        self.assign(a, max(self.value(a), self.value(b)))

    # the stack
    def do_keep4(self, *names: str) -> None:
        for place, name in enumerate(names):
            self.do_keep1(place, name)

    def do_kept4(self, *names: str) -> None:
        for place, name in enumerate(names):
            self.do_kept1(place, name)

    def do_keep1(self, place: int, a: str) -> None:
        self._slots[self._immediate(place, 3)] = self.value(a)

    def do_kept1(self, place: int, a: str) -> None:
        self.assign(a, self._slots[place])

    # a table beside the outputs of a convolution
    def do_save_table(self) -> None:
        self._slots["table"] = self.value("r3")

    def do_table(self) -> None:
        self.assign(_SPARE, self._slots["table"])

    def do_table_end(self, a: str, b: str) -> None:
        self.assign(a, self._memory.read(self.value(_SPARE) + 512, 4))
        self.assign(b, self._memory.read(self.value(_SPARE) + 516, 4))

    def do_read8(self, a: str, at: int) -> None:
        self.assign(a, self._memory.read(self.value(_OUT) + self._immediate(at), 1))

    def do_read16(self, a: str, at: int) -> None:
        self.assign(a, self._memory.read(self.value(_OUT) + self._immediate(at), 2))

    # outputs of convolutions, through the spare register
    def do_out(self) -> None:
        self.assign(_OUT, self._slots["out"])

    def do_store8(self, a: str, at: int) -> None:
        self._memory.write(self.value(_OUT) + self._immediate(at), 1, self.value(a))

    def do_store16(self, a: str, at: int) -> None:
        self._memory.write(self.value(_OUT) + self._immediate(at), 2, self.value(a))

    def do_out_add(self, n: int) -> None:
        assert self.value(_OUT) == self._slots["out"]
        self.assign(_OUT, self.value(_OUT) + self._immediate(n))
        self._slots["out"] = self.value(_OUT)

    def do_out_sub(self, n: int) -> None:
        assert self.value(_OUT) == self._slots["out"]
        self.assign(_OUT, self.value(_OUT) - self._immediate(n))
        self._slots["out"] = self.value(_OUT)

    def do_out_add_far(self, n: int) -> None:
        assert self.value(_OUT) == self._slots["out"]
        self.assign(_SPARE, n)
        self.assign(_OUT, self.value(_OUT) + n)
        self._slots["out"] = self.value(_OUT)

    # loops
    def do_set(self, slot: str, n: int) -> None:
        self.assign(_OUT, self._immediate(n, 0xFFFF))
        self._slots[slot] = n

    def do_again(self, slot: str, label: int) -> int | None:
        self._slots[slot] -= 1
        self.assign(_OUT, self._slots[slot])
        return label if self._slots[slot] else None

    def do_second(self, label: int) -> int | None:
        return None if self.do_again("half", label) else label

    def do_goto(self, label: int) -> int:
        return label

    def do_last(self, n: int) -> None:
        self.do_last_far(self._immediate(n))

    def do_last_far(self, n: int) -> None:
        self.assign(_OUT, self.value(_IN) + n)
        self._slots["last"] = self.value(_OUT)

    def do_next(self, label: int) -> int | None:
        self.assign(_OUT, self._slots["last"])
        return label if self.value(_IN) <= self.value(_OUT) else None

    def do_past(self, n: int, label: int) -> int | None:
        self.assign(_OUT, self.value(_IN) - self._immediate(n))
        self.assign(_SPARE, self._slots["last"])
        return label if self.value(_OUT) != self.value(_SPARE) else None

    # elementwise kernels
    def do_open(self) -> None:
        self.assign(_TO, self.value("r2"))
        self.assign(_SPARE, self.value("r3"))

    def do_set32(self, a: str, n: int) -> None:
        self.assign(a, n)

    def do_get8(self, a: str, p: str, at: int) -> None:
        self.assign(a, self._memory.read(self.value(p) + self._immediate(at), 1))

    def do_get16(self, a: str, p: str, at: int) -> None:
        self.assign(a, self._memory.read(self.value(p) + self._immediate(at), 2))

    def do_put8(self, a: str, at: int) -> None:
        self._memory.write(self.value(_TO) + self._immediate(at), 1, self.value(a))

    def do_put16(self, a: str, at: int) -> None:
        self._memory.write(self.value(_TO) + self._immediate(at), 2, self.value(a))

    def do_put32(self, a: str, at: int) -> None:
        self._memory.write(self.value(_TO) + self._immediate(at), 4, self.value(a))

    def do_look8(self, a: str) -> None:
        self.assign(a, self._memory.read(self.value(_SPARE) + self.value(a), 1))

    def do_look32(self, a: str) -> None:
        self.assign(a, self._memory.read(self.value(_SPARE) + 4 * self.value(a), 4))

    def do_plus(self, a: str, b: str) -> None:
        self.do_plus_left(a, b, 0)

    def do_plus_left(self, a: str, b: str, n: int) -> None:
        self.assign(a, self.value(a) + (self.value(b) << n))

    def do_left_plus(self, a: str, b: str, n: int) -> None:
        self.assign(a, self.value(b) + (self.value(a) << n))

    def do_left(self, a: str, n: int) -> None:
        self.assign(a, self.value(a) << n)

    # softmax
    def do_from(self, a: str, b: str) -> None:
        self.assign(a, self.value(b) - self.value(a))

    def do_minus(self, a: str, n: int) -> None:
        self.assign(a, self.value(a) - self._immediate(n))

    def do_right(self, a: str, n: str) -> None:
        self.assign(a, (self.value(a) & 0xFFFFFFFF) >> self._immediate(self.value(n), 31))

    def do_tally(self, t: str, a: str) -> None:
        self.assign(t, self.value(t) + ((self.value(a) * self.value(_W0) + (1 << 31)) >> 32))

    def do_reciprocal(self, t: str, n: str, x: str, e: str) -> None:
        factor, exponent = reciprocal(np.array(self.value(t)))
        self.assign(n, int(exponent))
        self.assign(_W0, 2 * int(factor))
        self.assign(_W1, (1 << int(exponent)) >> 1)
        for clobbered in (t, x, e):
            self._registers.pop(REGISTERS[clobbered], None)


def run_plan(plan: Plan, inputs: Sequence[bytearray], output: bytearray) -> list[list[Step]]:
    """Runs a planned layer on its inputs; the output is filled in place.

    Returns:
        The trace of every call.
    """
    memory = Memory()
    bases = {f"in{i}": memory.place(content) for i, content in enumerate(inputs)}
    bases["out"] = memory.place(output)
    bases["constants"] = memory.place(bytearray(b"".join(w.to_bytes(4, "little") for w in plan.constants)))

    def address(pointer: Pointer | None) -> int:
        return 0 if pointer is None else bases[pointer.base] + pointer.offset

    traces = []
    for call in plan.calls:
        cpu = Cpu(memory, *map(address, (call.source, call.stream, call.target, call.table)))
        cpu.run(plan.kernels[call.kernel].steps)
        traces.append(cpu.trace)
    return traces
