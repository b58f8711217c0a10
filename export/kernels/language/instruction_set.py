"""The kernel language, one record a macro: its assembly and the same in C.

Everything else follows from these records: both halves of the runtime header (`codegen.runtime`), what the cost model
prices (`instructions`), which operands a scheduler may move (`straight_line`), and what the tests' CPU runs.

A macro takes registers by name (`r0` to `r12`, `lr`), immediates, stack slots and labels. Kernels are entered with
the input in r0, the stream of constants in r1, the output in r2 and a table in r3. In C, registers are the members
of `s`, wide enough for a pointer of the host; a value lies in their low 32 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property


class Operand(Enum):
    """What an argument of a macro is."""

    REGISTER = "register"
    NUMBER = "number"
    LABEL = "label"


_SIGNS = {"#": Operand.NUMBER, ":": Operand.LABEL}


@dataclass(frozen=True)
class Macro:
    """One word of the kernel language.

    Attributes:
        name: without the K_ prefix.
        signature: parameter names, `#` before those of numbers, `:` before those of labels.
        assembly: Thumb-2 text, an instruction a line, parameters in braces.
        c: statements of the same effect, parameters in braces.
        constants: whether its loads read constants, which lie in flash.
    """

    name: str
    signature: str
    assembly: str
    c: str
    constants: bool = False

    @cached_property
    def parameters(self) -> Mapping[str, Operand]:
        """What each parameter is, in order."""
        words = self.signature.split()
        return {word.lstrip("#:"): _SIGNS.get(word[0], Operand.REGISTER) for word in words}

    @property
    def is_branch(self) -> bool:
        """Whether it may continue elsewhere."""
        return Operand.LABEL in self.parameters.values() and self.name != "LABEL"

    def lines(self, args: tuple[str | int, ...]) -> list[str]:
        """Its assembly with these arguments, an instruction a line; a label is a line of its own."""
        values = dict(zip(self.parameters, args, strict=True))
        return [line.format(**values) for line in self.assembly.splitlines()]


def _record(text: str) -> Macro:
    head, *rest = text.strip("\n").split("\n")
    match = re.fullmatch(r"(\w+) *\(([^)]*)\)( *constants)?", head.strip())
    assert match is not None, head
    assembly = [line.strip()[2:] for line in rest if line.strip().startswith("> ")]
    c = [line.strip() for line in rest if not line.strip().startswith("> ")]
    return Macro(match[1], match[2].replace(",", ""), "\n".join(assembly), " ".join(c), match[3] is not None)


# A record: the macro, its assembly behind ">", then its C.
_TABLE = """
LABEL (:n)
> {n}:
{n}: ;

ALIGN ()
> nop
;

X (x, #at)
> ldr.w {x}, [r0, #{at}]
{x} = ka_load(s.r0 + {at});

LOAD1 (a) constants
> ldr {a}, [r1], #4
{a} = ka_load(s.r1); s.r1 += 4;

LOAD2 (a, b) constants
> ldmia r1!, {{{a}, {b}}}
{a} = ka_load(s.r1); {b} = ka_load(s.r1 + 4); s.r1 += 8;

LOAD2_WIDE (a, b) constants
> ldmia.w r1!, {{{a}, {b}}}
{a} = ka_load(s.r1); {b} = ka_load(s.r1 + 4); s.r1 += 8;

LOAD3 (a, b, c) constants
> ldmia r1!, {{{a}, {b}, {c}}}
{a} = ka_load(s.r1); {b} = ka_load(s.r1 + 4); {c} = ka_load(s.r1 + 8); s.r1 += 12;

LOAD4 (a, b, c, d) constants
> ldmia r1!, {{{a}, {b}, {c}, {d}}}
{a} = ka_load(s.r1); {b} = ka_load(s.r1 + 4); {c} = ka_load(s.r1 + 8); {d} = ka_load(s.r1 + 12); s.r1 += 16;

COPY (to, from)
> mov {to}, {from}
{to} = {from};

MAC (a, x, w)
> smlad {a}, {x}, {w}, {a}
{a} = ka_smlad({a}, {x}, {w});

MAC_LOW (a, x, w)
> smlabb {a}, {x}, {w}, {a}
{a} = ka_smlad({a}, {x} & 0xffff, {w});

MAC_HIGH (a, x, w)
> smlatt {a}, {x}, {w}, {a}
{a} = ka_smlad({a}, {x} & 0xffff0000u, {w});

EVEN (x)
> sxtb16 {x}, {x}
{x} = ka_widen({x});

ODD (x)
> sxtb16 {x}, {x}, ror #8
{x} = ka_widen({x} >> 8);

ADD (p, #n)
> addw {p}, {p}, #{n}
{p} += {n};

SUB (p, #n)
> subw {p}, {p}, #{n}
{p} -= {n};

ADD_FAR (p, #n)
> movw r4, #(({n}) & 0xffff)
> movt r4, #((({n}) >> 16) & 0xffff)
> add {p}, r4
s.r4 = {n}; {p} += s.r4;

SUB_FAR (p, #n)
> movw r4, #(({n}) & 0xffff)
> movt r4, #((({n}) >> 16) & 0xffff)
> sub {p}, r4
s.r4 = {n}; {p} -= s.r4;

SCALE (a)
> smmlar {a}, {a}, r2, r3
{a} = ka_smmla({a}, s.r2, s.r3, 0x80000000u);

SCALE_SIGNED (a)
> add r5, r3, {a}, asr #31
> smmlar {a}, {a}, r2, r5
s.r5 = (uint32_t)s.r3 + ka_asr({a}, 31); {a} = ka_smmla({a}, s.r2, s.r5, 0x80000000u);

SCALE_FLOOR (a)
> smmla {a}, {a}, r2, r3
{a} = ka_smmla({a}, s.r2, s.r3, 0);

SCALE_PLAIN (a, w)
> smmul {a}, {a}, {w}
{a} = ka_smmla({a}, {w}, 0, 0);

SHIFT (a)
> asr {a}, {a}, r5
{a} = ka_asr({a}, s.r5);

SATURATE (a, #n)
> ssat {a}, #8, {a}, asr #{n}
{a} = ka_ssat8(ka_asr({a}, {n}));

SATURATE0 (a)
> ssat {a}, #8, {a}
{a} = ka_ssat8({a});

AT_LEAST (a, #n)
> cmp {a}, #{n}
> it lt
> movlt {a}, #{n}
{a} = ka_max({a}, (uint32_t){n});

AT_MOST (a, #n)
> cmp {a}, #{n}
> it gt
> movgt {a}, #{n}
{a} = ka_min({a}, (uint32_t){n});

MAX (a, b)
> cmp {a}, {b}
> it lt
> movlt.w {a}, {b}
{a} = ka_max({a}, {b});

KEEP4 (a, b, c, d)
> stmia sp, {{{a}, {b}, {c}, {d}}}
stack[0] = {a}; stack[1] = {b}; stack[2] = {c}; stack[3] = {d};

KEPT4 (a, b, c, d)
> ldmia sp, {{{a}, {b}, {c}, {d}}}
{a} = stack[0]; {b} = stack[1]; {c} = stack[2]; {d} = stack[3];

SAVE (a, #slot)
> str.w {a}, [sp, #4*{slot}]
stack[{slot}] = {a};

FETCH (a, #slot)
> ldr.w {a}, [sp, #4*{slot}]
{a} = stack[{slot}];

STORE16 (a, #at)
> strh.w {a}, [r4, #{at}]
ka_store16(s.r4 + {at}, {a});

STORE8 (a, #at)
> strb.w {a}, [r4, #{at}]
ka_store8(s.r4 + {at}, {a});

MOVED (#n, #slot)
> addw r4, r4, #{n}
> str r4, [sp, #4*{slot}]
s.r4 += {n}; stack[{slot}] = s.r4;

MOVED_BACK (#n, #slot)
> subw r4, r4, #{n}
> str r4, [sp, #4*{slot}]
s.r4 -= {n}; stack[{slot}] = s.r4;

MOVED_FAR (#n, #slot)
> movw r5, #(({n}) & 0xffff)
> movt r5, #((({n}) >> 16) & 0xffff)
> add r4, r5
> str r4, [sp, #4*{slot}]
s.r5 = {n}; s.r4 += (uintptr_t)(intptr_t)(int32_t)s.r5; stack[{slot}] = s.r4;

TABLE_END (a, b) constants
> ldrd {a}, {b}, [r5, #512]
{a} = ka_load(s.r5 + 512); {b} = ka_load(s.r5 + 516);

READ8 (a, #at)
> ldrsb {a}, [r4, #{at}]
{a} = ka_load8(s.r4 + {at});

READ16 (a, #at)
> ldrsh {a}, [r4, #{at}]
{a} = ka_load16(s.r4 + {at});

SET (#n, #slot)
> movw r4, #{n}
> str r4, [sp, #4*{slot}]
s.r4 = {n}; stack[{slot}] = s.r4;

AGAIN (#slot, :label)
> ldr r4, [sp, #4*{slot}]
> subs r4, #1
> str r4, [sp, #4*{slot}]
> bne.w {label}b
s.r4 = stack[{slot}] - 1; stack[{slot}] = s.r4; if (s.r4 != 0) goto {label};

DONE (#slot, :label)
> ldr r4, [sp, #4*{slot}]
> subs r4, #1
> str r4, [sp, #4*{slot}]
> beq.w {label}f
s.r4 = stack[{slot}] - 1; stack[{slot}] = s.r4; if (s.r4 == 0) goto {label};

GOTO (:label)
> b.w {label}b
goto {label};

LAST (#n, #slot)
> addw r4, r0, #{n}
> str r4, [sp, #4*{slot}]
s.r4 = s.r0 + {n}; stack[{slot}] = s.r4;

LAST_FAR (#n, #slot)
> movw r4, #(({n}) & 0xffff)
> movt r4, #((({n}) >> 16) & 0xffff)
> add r4, r0
> str r4, [sp, #4*{slot}]
s.r4 = s.r0 + {n}; stack[{slot}] = s.r4;

NEXT (#slot, :label)
> ldr r4, [sp, #4*{slot}]
> cmp r0, r4
> bls.w {label}b
s.r4 = stack[{slot}]; if (s.r0 <= s.r4) goto {label};

PAST (#n, #slot, :label)
> subw r4, r0, #{n}
> ldr r5, [sp, #4*{slot}]
> cmp r4, r5
> bne.w {label}f
s.r4 = s.r0 - {n}; s.r5 = stack[{slot}]; if (s.r4 != s.r5) goto {label};

SET32 (a, #n)
> movw {a}, #(({n}) & 0xffff)
> movt {a}, #((({n}) >> 16) & 0xffff)
{a} = (uint32_t){n};

GET8 (a, p, #at)
> ldrsb {a}, [{p}, #{at}]
{a} = ka_load8({p} + {at});

GET16 (a, p, #at)
> ldrsh {a}, [{p}, #{at}]
{a} = ka_load16({p} + {at});

PUT8 (a, #at)
> strb {a}, [lr, #{at}]
ka_store8(s.lr + {at}, {a});

PUT16 (a, #at)
> strh {a}, [lr, #{at}]
ka_store16(s.lr + {at}, {a});

PUT32 (a, #at)
> str {a}, [lr, #{at}]
ka_store(s.lr + {at}, {a});

LOOK8 (a) constants
> ldrsb {a}, [r5, {a}]
{a} = ka_load8(s.r5 + ka_index({a}));

LOOK32 (a) constants
> ldr {a}, [r5, {a}, lsl #2]
{a} = ka_load(s.r5 + 4 * ka_index({a}));

PLUS (a, b)
> add {a}, {a}, {b}
{a} = (uint32_t)({a} + {b});

PLUS_LEFT (a, b, #n)
> add {a}, {a}, {b}, lsl #{n}
{a} = (uint32_t)({a} + ({b} << {n}));

LEFT_PLUS (a, b, #n)
> add {a}, {b}, {a}, lsl #{n}
{a} = (uint32_t)({b} + ({a} << {n}));

LEFT (a, #n)
> lsl {a}, {a}, #{n}
{a} = (uint32_t)({a} << {n});

SIGN (t, a)
> add {t}, r3, {a}, asr #31
{t} = (uint32_t)s.r3 + ka_asr({a}, 31);

SCALE_BY (a, t)
> smmlar {a}, {a}, r2, {t}
{a} = ka_smmla({a}, s.r2, {t}, 0x80000000u);

DIVIDE (a, t)
> asr {t}, {a}, #31
> eor {a}, {a}, {t}
> sub {a}, {a}, {t}
> add {a}, r3, {a}, lsl #1
> smmul {a}, {a}, r2
> eor {a}, {a}, {t}
> sub {a}, {a}, {t}
{t} = ka_asr({a}, 31);
{a} = ka_smmla(s.r3 + ((({a} ^ {t}) - {t}) << 1), s.r2, 0, 0);
{a} = (uint32_t)(({a} ^ {t}) - {t});

FROM (a, b)
> sub {a}, {b}, {a}
{a} = (uint32_t)({b} - {a});

MINUS (a, #n)
> subw {a}, {a}, #{n}
{a} = (uint32_t)({a} - {n});

RIGHT (a, n)
> lsr {a}, {a}, {n}
{a} >>= {n};

TALLY (t, a)
> smmlar {t}, {a}, r2, {t}
{t} = ka_smmla({a}, s.r2, {t}, 0x80000000u);

NORMALIZE (t, n, x)
> clz {n}, {t}
> lsl {t}, {t}, {n}
> lsr {x}, {t}, #1
> bic {t}, {t}, #1
{n} = ka_clz({t}); {t} = (uint32_t)({t} << {n}); {x} = {t} >> 1; {t} &= ~(uintptr_t)1;

GUESS (x, e)
> movw {e}, #((-2021161080) & 0xffff)
> movt {e}, #(((-2021161080) >> 16) & 0xffff)
> smmulr {x}, {x}, {e}
> movw {e}, #((1515870810) & 0xffff)
> movt {e}, #(((1515870810) >> 16) & 0xffff)
> add {x}, {x}, {e}
{e} = 1515870810u; {x} = 1515870810u + ka_smmla({x}, (uint32_t)-2021161080, 0, 0x80000000u);

REFINE (t, x, e)
> smmulr {e}, {t}, {x}
> add {e}, {e}, {x}
> rsb {e}, {e}, #0x20000000
> lsl {e}, {e}, #1
> smmulr {e}, {x}, {e}
> add {x}, {x}, {e}, lsl #2
{e} = ((1u << 29) - (uint32_t)({x} + ka_smmla({t}, {x}, 0, 0x80000000u))) << 1;
{e} = ka_smmla({x}, {e}, 0, 0x80000000u); {x} = (uint32_t)({x} + ({e} << 2));

SHARES (n, x)
> qadd {x}, {x}, {x}
> lsl r2, {x}, #1
> rsb {n}, {n}, #35
> mov.w r3, #1
> lsl r3, r3, {n}
> lsr r3, r3, #1
{x} = ka_min({x}, 0x3fffffff) << 1 | ({x} > 0x3fffffff); s.r2 = (uint32_t)({x} << 1);
{n} = 35 - {n}; s.r3 = (1u << {n}) >> 1;

LDR (d, p, #at)
> ldr.w {d}, [{p}, #{at}]
{d} = ka_load({p} + {at});

LDRC (d, p, #at) constants
> ldr.w {d}, [{p}, #{at}]
{d} = ka_load({p} + {at});

STR (a, p, #at)
> str.w {a}, [{p}, #{at}]
ka_store({p} + {at}, {a});

STRH (a, p, #at)
> strh.w {a}, [{p}, #{at}]
ka_store16({p} + {at}, {a});

STRB (a, p, #at)
> strb.w {a}, [{p}, #{at}]
ka_store8({p} + {at}, {a});

LOOK (d, p, a) constants
> ldr {d}, [{p}, {a}, lsl #2]
{d} = ka_load({p} + 4 * ka_index({a}));

LDM2 (p, a, b)
> ldmia {p}!, {{{a}, {b}}}
{a} = ka_load({p}); {b} = ka_load({p} + 4); {p} += 8;

LDRD (a, b, p, #at)
> ldrd {a}, {b}, [{p}, #{at}]
{a} = ka_load({p} + {at}); {b} = ka_load({p} + {at} + 4);

LDR_NEXT (d, p, #n)
> ldr {d}, [{p}], #{n}
{d} = ka_load({p}); {p} += {n};

STORE_SUMS (p)
> stmia {p}!, {{r6, r7, r8, r9, r10, r11, r12, lr}}
ka_store({p}, s.r6); ka_store({p} + 4, s.r7); ka_store({p} + 8, s.r8); ka_store({p} + 12, s.r9);
ka_store({p} + 16, s.r10); ka_store({p} + 20, s.r11); ka_store({p} + 24, s.r12); ka_store({p} + 28, s.lr);
{p} += 32;

POINT (d, p, #n)
> addw {d}, {p}, #{n}
{d} = {p} + {n};

POINT_BACK (d, p, #n)
> subw {d}, {p}, #{n}
{d} = {p} - {n};

BASE (d, p, #n)
> add.w {d}, {p}, #{n}
{d} = {p} + {n};

ADVANCE (d, p, a)
> add {d}, {p}, {a}
{d} = {p} + ka_index({a});

RETREAT (d, p, a)
> sub {d}, {p}, {a}
{d} = {p} - ka_index({a});

SUM (d, a, b)
> add.w {d}, {a}, {b}
{d} = (uint32_t)({a} + {b});

DIFFERENCE (d, a, b)
> sub.w {d}, {a}, {b}
{d} = (uint32_t)({a} - {b});

SUM_LEFT (d, a, b, #n)
> add.w {d}, {a}, {b}, lsl #{n}
{d} = (uint32_t)({a} + ({b} << {n}));

SUM_RIGHT (d, a, b, #n)
> add {d}, {a}, {b}, asr #{n}
{d} = (uint32_t)({a} + ka_asr({b}, {n}));

IF_NEGATIVE (d, a, b)
> and {d}, {a}, {b}, asr #31
{d} = {a} & ka_asr({b}, 31);

SUM16 (d, a, b)
> sadd16 {d}, {a}, {b}
{d} = ka_pack(ka_low({a}) + ka_low({b}), ka_high({a}) + ka_high({b}));

DIFFERENCE16 (d, a, b)
> ssub16 {d}, {a}, {b}
{d} = ka_pack(ka_low({a}) - ka_low({b}), ka_high({a}) - ka_high({b}));

WIDEN_EVEN (d, x)
> sxtb16 {d}, {x}
{d} = ka_widen({x});

WIDEN_ODD (d, x)
> sxtb16 {d}, {x}, ror #8
{d} = ka_widen({x} >> 8);

ZERO (a)
> mov.w {a}, #0
{a} = 0;

DOT (d, x, w)
> smuad {d}, {x}, {w}
{d} = ka_smlad(0, {x}, {w});

PRODUCT (d, a, b)
> mul {d}, {a}, {b}
{d} = (uint32_t)({a} * {b});

HIGH (d, a, b, c)
> smmla {d}, {a}, {b}, {c}
{d} = ka_smmla({a}, {b}, {c}, 0);

HIGH_ROUNDED (d, a, b, c)
> smmlar {d}, {a}, {b}, {c}
{d} = ka_smmla({a}, {b}, {c}, 0x80000000u);

SATURATED (d, a, #n)
> ssat {d}, #8, {a}, asr #{n}
{d} = ka_ssat8(ka_asr({a}, {n}));

SHIFTED (d, a, n)
> asr {d}, {a}, {n}
{d} = ka_asr({a}, {n});

SATURATED0 (d, a)
> ssat {d}, #8, {a}
{d} = ka_ssat8({a});

LDRC_NEXT (d, p, #n) constants
> ldr {d}, [{p}], #{n}
{d} = ka_load({p}); {p} += {n};

LDRSH (d, p, #at)
> ldrsh.w {d}, [{p}, #{at}]
{d} = ka_load16({p} + {at});

LDRSB (d, p, #at)
> ldrsb.w {d}, [{p}, #{at}]
{d} = ka_load8({p} + {at});

STRIDE (p, #n)
> add.w {p}, {p}, #{n}
{p} += {n};

UNTIL (p, end, :label)
> cmp {p}, {end}
> bne.w {label}b
if ({p} != {end}) goto {label};

MORE (a, :label)
> cmp {a}, #0
> bne.w {label}b
if ((uint32_t){a} != 0) goto {label};

DOT_FROM (d, x, w, c)
> smlad {d}, {x}, {w}, {c}
{d} = ka_smlad({c}, {x}, {w});

LOW_LOW (d, x, w, c)
> smlabb {d}, {x}, {w}, {c}
{d} = ka_smlad({c}, {x} & 0xffff, {w});

LOW_HIGH (d, x, w, c)
> smlabt {d}, {x}, {w}, {c}
{d} = ka_smlad({c}, {x} & 0xffff, (uint32_t){w} >> 16);

HIGH_LOW (d, x, w, c)
> smlatb {d}, {x}, {w}, {c}
{d} = ka_smlad({c}, (uint32_t){x} >> 16, {w} & 0xffff);

PACK_LOW (d, a, b)
> pkhbt {d}, {a}, {b}, lsl #16
{d} = ka_pack(ka_low({a}), ka_low({b}));

PACK_HIGH (d, a, b)
> pkhtb {d}, {b}, {a}, asr #16
{d} = ka_pack(ka_high({a}), ka_high({b}));
"""

MACROS: Mapping[str, Macro] = {
    macro.name: macro for macro in map(_record, re.split(r"\n\n+", _TABLE.strip("\n")))
}
"""Every macro by its name."""
