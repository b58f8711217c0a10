"""Runs the kernel language as the Arm instructions its macros stand for, register by register.

Stricter than a core: registers and stack slots that hold nothing yet cannot be read, every access must lie in a buffer,
words must be aligned, and immediates must fit their instructions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from export.kernels.language.instruction_set import MACROS
from export.kernels.language.steps import NEAR, Step
from export.kernels.plan import Kernel, Plan, Pointer, calls_of

_OPERAND = re.compile(r"\{[^}]*\}|\[[^\]]*\]!?|[^,\s][^,]*")
_CONDITIONS: Mapping[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "ls": lambda a, b: a & 0xFFFFFFFF <= b & 0xFFFFFFFF,
}


def signed(value: int, bits: int = 32) -> int:
    """The low bits as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def halves(value: int) -> tuple[int, int]:
    return signed(value, 16), signed(value >> 16, 16)


def packed(low: int, high: int) -> int:
    return (low & 0xFFFF) | (high & 0xFFFF) << 16


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


@cache
def parsed(line: str) -> tuple[str, tuple[str, ...]]:
    """Mnemonic and operands."""
    mnemonic, _, operands = line.partition(" ")
    return mnemonic.removesuffix(".w"), tuple(_OPERAND.findall(operands))


class Cpu:
    """One call of a kernel.

    Attributes:
        trace: The steps that ran, in order, labels left out.
    """

    def __init__(self, memory: Memory, source: int, stream: int, target: int, table: int) -> None:
        self._memory = memory
        self._registers: dict[str, int] = {"r0": source, "r1": stream, "r2": target, "r3": table}
        self._stack: dict[int, int] = {}
        self._compared = (0, 0)
        self._not_less = 0
        self._holds = True
        self.trace: list[Step] = []

    def run(self, kernel: Kernel) -> None:
        steps = kernel.steps
        labels = {int(item.args[0]): i for i, item in enumerate(steps) if item.name == "LABEL"}
        assert len(labels) == sum(item.name == "LABEL" for item in steps), "labels of C must differ"
        position = 0
        while position < len(steps):
            item = steps[position]
            position += 1
            if item.name == "LABEL":
                continue
            self.trace.append(item)
            for line in MACROS[item.name].lines(item.args):
                target = self._execute(*parsed(line))
                if target is not None:
                    at = labels[int(target[:-1])]
                    assert (at >= position) == (target[-1] == "f")
                    position = at
        assert all(0 <= slot < kernel.frame for slot in self._stack)

    # registers and operands
    def _value(self, text: str) -> int:
        if text.startswith("#"):
            return int(eval(text[1:]))  # an expression of numbers, as the assembler computes it
        return self._registers[text]

    def _set(self, register: str, value: int) -> None:
        assert re.fullmatch(r"r\d|r1[0-2]|lr", register), register
        self._registers[register] = signed(value)

    def _last(self, operands: Sequence[str]) -> int:
        """The last operand, with its shift."""
        value, shift = self._value(operands[0]), operands[1] if len(operands) > 1 else ""
        if not shift:
            return value
        kind, _, amount = shift.partition(" ")
        bits = self._value(amount)
        assert 0 <= bits <= 31
        return {"lsl": signed(value << bits), "asr": value >> bits, "ror": _rotated(value, bits)}[kind]

    # instructions
    def _execute(self, mnemonic: str, o: tuple[str, ...]) -> str | None:
        """Runs one instruction; returns the label it jumps to, or None."""
        if mnemonic == "nop":
            return None
        if mnemonic == "it":
            self._holds = _CONDITIONS[o[0]](*self._compared)
            return None
        if mnemonic.startswith("b") and mnemonic[1:] in ("", *_CONDITIONS):
            return o[0] if mnemonic == "b" or _CONDITIONS[mnemonic[1:]](*self._compared) else None
        if mnemonic in ("movlt", "movgt"):
            if self._holds:
                self._set(o[0], self._value(o[1]))
            return None
        if mnemonic[:3] in ("ldr", "str", "ldm", "stm"):
            self._transfer(mnemonic, o)
            return None
        getattr(self, f"do_{mnemonic}")(*o)
        return None

    def _transfer(self, mnemonic: str, o: tuple[str, ...]) -> None:
        if mnemonic[:3] in ("ldm", "stm"):
            self._multiple(mnemonic[:3] == "ldm", o)
            return
        registers, place, after = o[:-1], o[-1], ""
        if not place.startswith("["):
            registers, place, after = o[:-2], o[-2], o[-1]
        inside = [part.strip() for part in place.strip("[]").split(",")]
        if inside[0] == "sp":
            self._slot(mnemonic, registers[0], inside[1])
            return
        offset = self._last(inside[1:]) if len(inside) > 1 else 0
        assert len(inside) < 2 or not inside[1].startswith("#") or 0 <= offset <= NEAR
        address = self._value(inside[0]) + offset
        size = {"b": 1, "h": 2}.get(mnemonic[-1], 4)
        if mnemonic in ("ldrd", "strd"):
            assert len(registers) == 2
            assert offset % 4 == 0
            assert offset <= 1020
        else:
            assert len(registers) == 1
        for number, register in enumerate(registers):
            if mnemonic.startswith("ldr"):
                assert size == 4 or "s" in mnemonic, "loads of bytes and halfwords extend the sign"
                self._set(register, self._memory.read(address + 4 * number, size))
            else:
                self._memory.write(address + 4 * number, size, self._value(register))
        if after:
            self._set(inside[0], self._value(inside[0]) + self._value(after))

    def _slot(self, mnemonic: str, register: str, offset: str) -> None:
        at = self._value(offset)
        assert at % 4 == 0
        if mnemonic == "ldr":
            self._set(register, self._stack[at // 4])
        else:
            self._stack[at // 4] = self._value(register)

    def _multiple(self, load: bool, o: tuple[str, ...]) -> None:
        base, names = o[0].strip().removesuffix("!"), [name.strip() for name in o[1].strip("{}").split(",")]
        order = [14 if name == "lr" else int(name[1:]) for name in names]
        assert order == sorted(set(order))
        for number, name in enumerate(names):
            if base == "sp":
                if load:
                    self._set(name, self._stack[number])
                else:
                    self._stack[number] = self._value(name)
            elif load:
                self._set(name, self._memory.read(self._value(base) + 4 * number, 4))
            else:
                self._memory.write(self._value(base) + 4 * number, 4, self._value(name))
        if o[0].strip().endswith("!"):
            assert base not in names
            self._set(base, self._value(base) + 4 * len(names))

    def do_mov(self, d: str, a: str) -> None:
        self._set(d, self._value(a))

    def do_movw(self, d: str, n: str) -> None:
        assert 0 <= self._value(n) <= 0xFFFF
        self._set(d, self._value(n))

    def do_movt(self, d: str, n: str) -> None:
        self._set(d, packed(self._value(d), self._value(n)))

    def do_add(self, d: str, *o: str) -> None:
        o = o if len(o) > 1 and not re.match("lsl|asr", o[1]) else (d, *o)
        self._set(d, self._value(o[0]) + self._last(o[1:]))

    def do_sub(self, d: str, *o: str) -> None:
        o = o if len(o) > 1 and not re.match("lsl|asr", o[1]) else (d, *o)
        self._set(d, self._value(o[0]) - self._last(o[1:]))

    def do_subs(self, d: str, *o: str) -> None:
        self.do_sub(d, *o)
        self._compared = self._value(d), 0

    def do_addw(self, d: str, a: str, n: str) -> None:
        assert 0 <= self._value(n) <= NEAR
        self.do_add(d, a, n)

    def do_subw(self, d: str, a: str, n: str) -> None:
        assert 0 <= self._value(n) <= NEAR
        self.do_sub(d, a, n)

    def do_rsb(self, d: str, a: str, n: str) -> None:
        self._set(d, self._value(n) - self._value(a))

    def do_cmp(self, a: str, b: str) -> None:
        self._compared = self._value(a), self._value(b)

    def do_eor(self, d: str, a: str, b: str) -> None:
        self._set(d, self._value(a) ^ self._value(b))

    def do_and(self, d: str, a: str, *b: str) -> None:
        self._set(d, self._value(a) & self._last(b))

    def do_bic(self, d: str, a: str, b: str) -> None:
        self._set(d, self._value(a) & ~self._value(b))

    def _shift(self, b: str) -> int:
        amount = self._value(b)
        assert 0 <= amount <= 31
        return amount

    def do_lsl(self, d: str, a: str, b: str) -> None:
        self._set(d, self._value(a) << self._shift(b))

    def do_lsr(self, d: str, a: str, b: str) -> None:
        self._set(d, (self._value(a) & 0xFFFFFFFF) >> self._shift(b))

    def do_asr(self, d: str, a: str, b: str) -> None:
        self._set(d, self._value(a) >> self._shift(b))

    def do_clz(self, d: str, a: str) -> None:
        self._set(d, 32 - (self._value(a) & 0xFFFFFFFF).bit_length())

    def do_qadd(self, d: str, a: str, b: str) -> None:
        self._set(d, max(-(1 << 31), min((1 << 31) - 1, self._value(a) + self._value(b))))

    def do_ssat(self, d: str, bits: str, *a: str) -> None:
        most = (1 << (self._value(bits) - 1)) - 1
        self._set(d, max(-most - 1, min(most, self._last(a))))

    def do_sxtb16(self, d: str, *a: str) -> None:
        value = self._last(a)
        self._set(d, packed(signed(value, 8), signed(value >> 16, 8)))

    def do_sadd16(self, d: str, a: str, b: str) -> None:
        (a0, a1), (b0, b1) = halves(self._value(a)), halves(self._value(b))
        self._set(d, packed(a0 + b0, a1 + b1))

    def do_sxtab16(self, d: str, a: str, *b: str) -> None:
        (a0, a1), value = halves(self._value(a)), self._last(b)
        self._set(d, packed(a0 + signed(value, 8), a1 + signed(value >> 16, 8)))

    def do_sxth(self, d: str, a: str) -> None:
        self._set(d, signed(self._value(a), 16))

    def _subtract(self, d: str, a: str, b: str, bits: int) -> None:
        """Parts that are not less than the other operand's are the ones that SEL takes from its first operand."""
        parts = [
            (signed(self._value(a) >> at, bits), signed(self._value(b) >> at, bits))
            for at in range(0, 32, bits)
        ]
        mask = (1 << bits) - 1
        self._not_less = sum(mask << bits * number for number, (x, y) in enumerate(parts) if x >= y)
        self._set(d, sum(((x - y) & mask) << bits * number for number, (x, y) in enumerate(parts)))

    def do_ssub8(self, d: str, a: str, b: str) -> None:
        self._subtract(d, a, b, 8)

    def do_ssub16(self, d: str, a: str, b: str) -> None:
        self._subtract(d, a, b, 16)

    def do_sel(self, d: str, a: str, b: str) -> None:
        self._set(d, (self._value(a) & self._not_less) | (self._value(b) & ~self._not_less))

    def do_pkhbt(self, d: str, a: str, *b: str) -> None:
        self._set(d, packed(self._value(a), self._last(b) >> 16))

    def do_pkhtb(self, d: str, a: str, *b: str) -> None:
        self._set(d, packed(self._last(b), self._value(a) >> 16))

    # products
    def do_mul(self, d: str, a: str, b: str) -> None:
        self._set(d, self._value(a) * self._value(b))

    def do_mla(self, d: str, a: str, b: str, c: str) -> None:
        self._set(d, self._value(a) * self._value(b) + self._value(c))

    def do_smuad(self, d: str, a: str, b: str) -> None:
        self._set(d, sum(x * y for x, y in zip(halves(self._value(a)), halves(self._value(b)), strict=True)))

    def do_smlad(self, d: str, a: str, b: str, c: str) -> None:
        products = [x * y for x, y in zip(halves(self._value(a)), halves(self._value(b)), strict=True)]
        self._set(d, self._value(c) + sum(products))

    def _smla(self, operands: Sequence[str], halves_of: tuple[int, int]) -> None:
        d, a, b, c = operands
        x, y = halves(self._value(a))[halves_of[0]], halves(self._value(b))[halves_of[1]]
        self._set(d, self._value(c) + x * y)

    def do_smlabb(self, *o: str) -> None:
        self._smla(o, (0, 0))

    def do_smlabt(self, *o: str) -> None:
        self._smla(o, (0, 1))

    def do_smlatb(self, *o: str) -> None:
        self._smla(o, (1, 0))

    def do_smlatt(self, *o: str) -> None:
        self._smla(o, (1, 1))

    def _high(self, d: str, a: str, b: str, c: int, rounding: int) -> None:
        self._set(d, ((c << 32) + self._value(a) * self._value(b) + rounding) >> 32)

    def do_smmul(self, d: str, a: str, b: str) -> None:
        self._high(d, a, b, 0, 0)

    def do_smmulr(self, d: str, a: str, b: str) -> None:
        self._high(d, a, b, 0, 1 << 31)

    def do_smmla(self, d: str, a: str, b: str, c: str) -> None:
        self._high(d, a, b, self._value(c), 0)

    def do_smmlar(self, d: str, a: str, b: str, c: str) -> None:
        self._high(d, a, b, self._value(c), 1 << 31)


def _rotated(value: int, bits: int) -> int:
    value &= 0xFFFFFFFF
    return signed(value >> bits | value << (32 - bits))


def run_plan(plan: Plan, inputs: Sequence[bytearray], output: bytearray) -> list[list[Step]]:
    """Runs a planned layer on its inputs; the output is filled in place. Scratch memory starts with garbage.

    Returns:
        The trace of every call.
    """
    memory = Memory()
    bases = {f"in{i}": memory.place(content) for i, content in enumerate(inputs)}
    bases["out"] = memory.place(output)
    bases["constants"] = memory.place(bytearray(b"".join(w.to_bytes(4, "little") for w in plan.constants)))
    bases["scratch"] = memory.place(bytearray(b"\xa5" * plan.scratch_bytes))

    def address(pointer: Pointer | None) -> int:
        return 0 if pointer is None else bases[pointer.base] + pointer.offset

    traces = []
    for call in calls_of(plan):
        cpu = Cpu(memory, *map(address, (call.source, call.stream, call.target, call.table)))
        cpu.run(plan.kernels[call.kernel])
        traces.append(cpu.trace)
    return traces
