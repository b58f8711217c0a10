"""The instructions behind each macro of the kernel language, for the timing model: the mirror of runtime.h."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from export.kernels.language import Step
from export.kernels.plan import Plan
from export.targets.instruction import FLAGS, LR, PC, SP, Instruction, Kind, Memory

_REGISTERS: Mapping[str, int] = {
    "in": 0,
    "wt": 1,
    "w0": 2,
    "w1": 3,
    "x0": 4,
    "x1": 5,
    **{f"a{i}": 6 + i for i in range(7)},
    "a7": LR,
    "to": LR,
}
_IN, _WT, _MULT, _ADDEND, _OUT, _SPARE, _TO = 0, 1, 2, 3, 4, 5, LR
_TABLE = _SPARE
_LOW = 8  # registers below fit 16-bit instructions

_SAVED = tuple(range(4, 12))
CALL_BYTES, LAYER_BYTES = (
    16,
    16,
)  # compiled C: a kernel call with its arguments, a layer's prologue and return

ENTRY = (
    Instruction(
        Kind.STORE_MULTIPLE, reads=(*_SAVED, LR), address=(SP,), words=9, writes=(SP,), writeback=True
    ),
    Instruction(Kind.ALU, writes=(SP,), reads=(SP,), width=16),
    Instruction(Kind.STORE, reads=(2,), address=(SP,), width=16),
)
"""What BEGIN expands to."""

EXIT = (
    Instruction(Kind.ALU, writes=(SP,), reads=(SP,), width=16),
    Instruction(Kind.LOAD_MULTIPLE, writes=(*_SAVED, PC, SP), address=(SP,), words=9, writeback=True),
)
"""What END expands to."""


def kernel_bytes(steps: Sequence[Step]) -> int:
    """Bytes of a kernel's code, aligned to a word."""
    bits = sum(instruction.width for instruction in (*ENTRY, *EXIT))
    bits += sum(instruction.width for item in steps for instruction in instructions(item))
    return -(-bits // 32) * 4


def plan_bytes(plan: Plan) -> int:
    """Flash of a planned layer: code, constants, and the compiled calls."""
    code = sum(kernel_bytes(kernel.steps) for kernel in plan.kernels)
    return code + 4 * len(plan.constants) + CALL_BYTES * len(plan.calls) + LAYER_BYTES


@cache
def instructions(item: Step) -> tuple[Instruction, ...]:
    """The instructions a macro expands to; none for a label."""
    return _EXPANSIONS[item.name](*item.args)


def register_number(name: str) -> int:
    """The core's register behind a name of the kernel language."""
    return _REGISTERS[name]


def _r(name: str | int) -> int:
    return register_number(str(name))


def _alu(to: int, *sources: int, kind: Kind = Kind.ALU, width: int = 32) -> Instruction:
    return Instruction(kind, writes=(to,), reads=sources, width=width)


def _constant(to: int, value: int) -> tuple[Instruction, ...]:
    return (_alu(to), _alu(to, to))


def _width(*registers: int) -> int:
    """Of an instruction that has a 16-bit form for low registers."""
    return 16 if max(registers) < _LOW else 32


def _stream(*registers: str | int) -> tuple[Instruction, ...]:
    numbers = tuple(map(_r, registers))
    kind = Kind.LOAD if len(numbers) == 1 else Kind.LOAD_MULTIPLE
    return (
        Instruction(
            kind,
            writes=(*numbers, _WT),
            address=(_WT,),
            words=len(numbers),
            memory=Memory.FLASH,
            width=32 if kind is Kind.LOAD else _width(*numbers),
            writeback=True,
        ),
    )


def _slot_load(to: int) -> Instruction:
    return Instruction(Kind.LOAD, writes=(to,), address=(SP,), width=_width(to))


def _slot_store(source: int) -> Instruction:
    return Instruction(Kind.STORE, reads=(source,), address=(SP,), width=_width(source))


def _compare(a: int, b: int) -> Instruction:
    return Instruction(Kind.ALU, writes=(FLAGS,), reads=(a, b), width=16)


def _compare_with(a: int, value: int) -> Instruction:
    short = a < _LOW and value >= 0  # a negative bound becomes CMN, which is wide
    return Instruction(Kind.ALU, writes=(FLAGS,), reads=(a,), width=16 if short else 32)


def _conditional(to: int, source: int) -> tuple[Instruction, Instruction]:
    it = Instruction(Kind.IT, width=16)
    return it, Instruction(Kind.ALU, writes=(to,), reads=(source, FLAGS), width=16)


def _branch(*, flags: bool = True) -> Instruction:
    return Instruction(Kind.BRANCH, reads=(FLAGS,) if flags else ())


def _scale(a: str | int, addend: int = _ADDEND) -> Instruction:
    return Instruction(Kind.MAC, writes=(_r(a),), reads=(_r(a), _MULT), accumulators=(addend,))


def _signed(a: str | int) -> tuple[Instruction, ...]:
    return (_alu(_SPARE, _ADDEND, _r(a), kind=Kind.SHIFTED), _scale(a, _SPARE))


def _saturate(a: str | int, *_: str | int) -> tuple[Instruction, ...]:
    return (_alu(_r(a), _r(a), kind=Kind.DSP),)


def _bound(a: str | int, value: str | int) -> tuple[Instruction, ...]:
    number = int(value)
    width = _width(_r(a)) if number >= 0 else 32
    move = Instruction(Kind.ALU, writes=(_r(a),), reads=(FLAGS,), width=width)
    return (_compare_with(_r(a), number), Instruction(Kind.IT, width=16), move)


def _maximum(a: str | int, b: str | int) -> tuple[Instruction, ...]:
    return (_compare(_r(a), _r(b)), *_conditional(_r(a), _r(b)))


def _kept(kind: Kind, registers: Sequence[str | int]) -> tuple[Instruction, ...]:
    numbers = tuple(map(_r, registers))
    if kind is Kind.STORE_MULTIPLE:
        return (Instruction(kind, reads=numbers, address=(SP,), words=len(numbers)),)
    return (Instruction(kind, writes=numbers, address=(SP,), words=len(numbers)),)


def _store(a: str | int, _: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.STORE, reads=(_r(a),), address=(_OUT,)),)


def _count_down(*_: str | int) -> tuple[Instruction, ...]:
    decrement = Instruction(Kind.ALU, writes=(_OUT, FLAGS), reads=(_OUT,), width=16)
    return (_slot_load(_OUT), decrement, _slot_store(_OUT), _branch())


def _next(_: str | int) -> tuple[Instruction, ...]:
    return (_slot_load(_OUT), _compare(_IN, _OUT), _branch())


def _past(*_: str | int) -> tuple[Instruction, ...]:
    return (_alu(_OUT, _IN), _slot_load(_SPARE), _compare(_OUT, _SPARE), _branch())


def _get(a: str | int, p: str | int, _: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.LOAD, writes=(_r(a),), address=(_r(p),)),)


def _put(a: str | int, _: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.STORE, reads=(_r(a),), address=(_TO,)),)


def _look(a: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.LOAD, writes=(_r(a),), address=(_TABLE, _r(a)), memory=Memory.FLASH),)


def _look8(a: str | int) -> tuple[Instruction, ...]:
    return tuple(replace(instruction, width=_width(_TABLE, _r(a))) for instruction in _look(a))


def _table_end(a: str | int, b: str | int) -> tuple[Instruction, ...]:
    kind, words = Kind.LOAD_MULTIPLE, (_r(a), _r(b))
    return (Instruction(kind, writes=words, address=(_TABLE,), words=2, memory=Memory.FLASH),)


def _read(a: str | int, _: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.LOAD, writes=(_r(a),), address=(_OUT,)),)


def _mac(a: str | int, x: str | int, w: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.MAC, writes=(_r(a),), reads=(_r(x), _r(w)), accumulators=(_r(a),)),)


def _divide(a: str | int, t: str | int) -> tuple[Instruction, ...]:
    value, sign = _r(a), _r(t)
    return (
        _alu(sign, value),
        _alu(value, value, sign),
        _alu(value, value, sign),
        _alu(value, _ADDEND, value, kind=Kind.SHIFTED),
        _alu(value, value, _MULT, kind=Kind.MUL),
        _alu(value, value, sign),
        _alu(value, value, sign),
    )


def _tally(total: str | int, a: str | int) -> tuple[Instruction, ...]:
    return (Instruction(Kind.MAC, writes=(_r(total),), reads=(_r(a), _MULT), accumulators=(_r(total),)),)


def _reciprocal(*registers: str | int) -> tuple[Instruction, ...]:
    total, shift, x, e = map(_r, registers)
    refined = (
        _alu(e, total, x, kind=Kind.MUL),
        _alu(e, e, x, width=16),
        _alu(e, e),
        _alu(e, e),
        _alu(e, x, e, kind=Kind.MUL),
        _alu(x, x, e, kind=Kind.SHIFTED),
    )
    return (
        _alu(shift, total),
        _alu(total, total, shift),
        _alu(x, total),
        _alu(total, total),
        *_constant(e, 0),
        _alu(x, x, e, kind=Kind.MUL),
        *_constant(e, 0),
        _alu(x, x, e, width=16),
        *refined * 3,
        _alu(x, x, x, kind=Kind.DSP),
        _alu(_MULT, x),
        _alu(shift, shift),
        _alu(_ADDEND),
        _alu(_ADDEND, _ADDEND, shift),
        _alu(_ADDEND, _ADDEND),
    )


_EXPANSIONS: Mapping[str, Callable[..., tuple[Instruction, ...]]] = {
    "LABEL": lambda n: (),
    "X": lambda x, at: (Instruction(Kind.LOAD, writes=(_r(x),), address=(_IN,)),),
    "LOAD1": _stream,
    "LOAD2": _stream,
    "LOAD3": _stream,
    "LOAD4": _stream,
    "COPY": lambda to, source: (_alu(_r(to), _r(source), width=16),),
    "MAC": _mac,
    "MAC_LOW": _mac,
    "MAC_HIGH": _mac,
    "EVEN": lambda x: (_alu(_r(x), _r(x), kind=Kind.DSP),),
    "ODD": lambda x: (_alu(_r(x), _r(x), kind=Kind.DSP),),
    "LEFT": lambda a, n: (_alu(_r(a), _r(a)),),
    "ADD": lambda p, n: (_alu(_r(p), _r(p)),),
    "SUB": lambda p, n: (_alu(_r(p), _r(p)),),
    "ADD_FAR": lambda p, n: (*_constant(_OUT, n), _alu(_r(p), _r(p), _OUT, width=16)),
    "SUB_FAR": lambda p, n: (*_constant(_OUT, n), _alu(_r(p), _r(p), _OUT)),
    "SCALE": lambda a: (_scale(a),),
    "SCALE_SIGNED": _signed,
    "SCALE_FLOOR": lambda a: (_scale(a),),
    "SHIFT": lambda a: (_alu(_r(a), _r(a), _SPARE),),
    "SATURATE": _saturate,
    "SATURATE0": _saturate,
    "AT_LEAST": _bound,
    "AT_MOST": _bound,
    "MAX": _maximum,
    "KEEP4": lambda *registers: _kept(Kind.STORE_MULTIPLE, registers),
    "KEPT4": lambda *registers: _kept(Kind.LOAD_MULTIPLE, registers),
    "KEEP1": lambda i, a: (_slot_store(_r(a)),),
    "KEPT1": lambda i, a: (_slot_load(_r(a)),),
    "OUT": lambda: (_slot_load(_OUT),),
    "STORE16": _store,
    "STORE8": _store,
    "OUT_ADD": lambda n: (_alu(_OUT, _OUT), _slot_store(_OUT)),
    "OUT_SUB": lambda n: (_alu(_OUT, _OUT), _slot_store(_OUT)),
    "OUT_ADD_FAR": lambda n: (
        *_constant(_SPARE, n),
        _alu(_OUT, _OUT, _SPARE, width=16),
        _slot_store(_OUT),
    ),
    "SET": lambda slot, n: (_alu(_OUT), _slot_store(_OUT)),
    "AGAIN": _count_down,
    "SECOND": _count_down,
    "GOTO": lambda label: (_branch(flags=False),),
    "LAST": lambda n: (_alu(_OUT, _IN), _slot_store(_OUT)),
    "LAST_FAR": lambda n: (*_constant(_OUT, n), _alu(_OUT, _OUT, _IN, width=16), _slot_store(_OUT)),
    "OPEN": lambda: (_alu(_TO, 2, width=16), _alu(_TABLE, 3, width=16)),
    "SET32": lambda a, n: _constant(_r(a), n),
    "GET8": _get,
    "GET16": _get,
    "PUT8": _put,
    "PUT16": _put,
    "PUT32": _put,
    "LOOK8": _look8,
    "LOOK32": _look,
    "PLUS": lambda a, b: (_alu(_r(a), _r(a), _r(b), width=16),),
    "PLUS_LEFT": lambda a, b, n: (_alu(_r(a), _r(a), _r(b), kind=Kind.SHIFTED),),
    "LEFT_PLUS": lambda a, b, n: (_alu(_r(a), _r(b), _r(a), kind=Kind.SHIFTED),),
    "SAVE_TABLE": lambda: (_slot_store(3),),
    "TABLE": lambda: (_slot_load(_TABLE),),
    "TABLE_END": _table_end,
    "READ8": _read,
    "READ16": _read,
    "SIGN": lambda t, a: (_alu(_r(t), _ADDEND, _r(a), kind=Kind.SHIFTED),),
    "SCALE_BY": lambda a, t: (_scale(a, _r(t)),),
    "DIVIDE": _divide,
    "FROM": lambda a, b: (_alu(_r(a), _r(b), _r(a)),),
    "MINUS": lambda a, n: (_alu(_r(a), _r(a)),),
    "RIGHT": lambda a, n: (_alu(_r(a), _r(a), _r(n)),),
    "TALLY": _tally,
    "RECIPROCAL": _reciprocal,
    "NEXT": _next,
    "PAST": _past,
}
