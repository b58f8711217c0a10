"""Sequences that others have measured with the cycle counter of real cores, and what the timing tables make of them."""

from dataclasses import replace

import pytest

from export.targets import arrival_cycles, block_cycles
from export.targets.assembly import decode
from tests.export.timings import timing_of

M33 = "jnk0le, pipeline cycle test, cortex_m33.md: RP2350"
M4 = "jnk0le, pipeline cycle test, cortex_m3m4.md: STM32F407"
M3 = "jnk0le, pipeline cycle test, cortex_m3m4.md: STM32F103"
M7 = "jnk0le, pipeline cycle test, cortex_m7.md: STM32H743"
ALIGNMENT = "i-0.nl, Cortex-M4 compendium, alignment rules"
OPTIMIZATION = "Arm KA001260: MULS on Cortex-M33"

# Source, core, code with the width of each instruction after it, whether its last branch is taken, cycles.
MEASURED = [
    (
        M33,
        "cortex-m33",
        "mov r10, r10 :16\n" * 17 + "subs r9, #1 :32\nmov r10, r10 :16\nbne #0 :16",
        True,
        20,
    ),
    (M33, "cortex-m33", "subs r7, #1 :16\nbne #0 :16", True, 3),
    (M33, "cortex-m33", "subs r7, #1 :16\nbne #0 :16", False, 1),
    (M33, "cortex-m33", "adds r3, r4 :16\nbeq #0 :16", True, 3),
    (M33, "cortex-m33", "subs r7, #1 :16\nadd r0, r1 :16\nbne #0 :16", True, 3),
    (M33, "cortex-m33", "subs r7, #1 :16\nadd r0, r1 :16\nbne #0 :16", False, 2),
    (M33, "cortex-m33", "subs r7, #1 :16\nldm r6!, {r0, r1, r2, r3} :16\nbne #0 :16", True, 6),
    (M33, "cortex-m33", "subs r7, #1 :16\nldm r6!, {r0, r1, r2, r3} :16\nbne #0 :16", False, 5),
    (M33, "cortex-m33", "mov r10, r10 :16\nit eq :16\naddseq.w r0, r1, #0x1fc0 :32", False, 3),
    (
        M33,
        "cortex-m33",
        "mov r10, r10 :16\nit eq :16\naddeq.w r0, r1, r2, ror #23 :32\nadd r0, r3 :16",
        False,
        4,
    ),
    (M33, "cortex-m33", "movs.w r0, #0x1fc0 :32", False, 1),
    (M33, "cortex-m33", "adds.w r0, r1, #0x1fc0 :32", False, 2),
    (M33, "cortex-m33", "adds.w r0, r1, r2, lsl #2 :32", False, 1),
    (M33, "cortex-m33", "mov.w r0, #0x1fc0 :32\nadd r1, r0 :16", False, 3),
    (M33, "cortex-m33", "bfi r0, r1, #2, #3 :32\nadd r2, r0 :16", False, 2),
    (M33, "cortex-m33", "uxtab r0, r0, r1 :32\nuxtab r0, r0, r2 :32", False, 2),
    (M33, "cortex-m33", "ldr r0, [r1] :16\nadd r2, r0 :16", False, 3),
    (M33, "cortex-m33", "ldr r0, [r1] :16\nstr r0, [r2] :16", False, 2),
    (M33, "cortex-m33", "ldr r0, [r1] :16\nsmlad r0, r2, r3, r0 :32", False, 2),
    (M33, "cortex-m33", "ldrd r0, r1, [r2] :32", False, 2),
    (M33, "cortex-m33", "stm r6!, {r0, r1, r2} :16", False, 3),
    (OPTIMIZATION, "cortex-m33", "muls r0, r1, r0 :16", False, 2),
    (M4, "cortex-m4", "nop.w :32\n" * 17 + "subs.w r9, #1 :32\nbne.w #0 :32", True, 20),
    (M4, "cortex-m4", "ldr r0, [r1], #4 :32\nldr r2, [r3], #4 :32\nldr r0, [r1], #4 :32", False, 4),
    (M4, "cortex-m4", "ldr r0, [r1], #4 :32\nldr r2, [r1], #4 :32", False, 4),
    (M4, "cortex-m4", "add r1, r2 :16\nldr r0, [r1] :16", False, 4),
    (M4, "cortex-m4", "ldr r0, [r1] :16\nstr r0, [r2] :16", False, 2),
    (M4, "cortex-m4", "str r0, [r2] :16\nldr r0, [r1] :16", False, 4),
    (M4, "cortex-m4", "str.w r0, [r2, r3] :32", False, 2),
    (M4, "cortex-m4", "ldr r0, [r1] :16\nstr r3, [r2], #4 :32", False, 2),
    (M3, "cortex-m3", "ldr r0, [r1] :16\nldr r2, [r3] :16", False, 3),
    (M3, "cortex-m3", "ldr r0, [r1], #4 :32\nldr r2, [r3], #4 :32", False, 4),
    (M3, "cortex-m3", "ldr r0, [r1], #4 :32\nldr r2, [r3] :16\nldr r4, [r5] :16", False, 4),
    (M3, "cortex-m3", "ldr r0, [r1] :16\nldr r2, [r3, #4]! :32", False, 4),
    (ALIGNMENT, "cortex-m4", "mov r0, r1 :16\n" + "add.w r0, r1, r2 :32\n" * 2, False, 3),
    (ALIGNMENT, "cortex-m4", "mov r0, r1 :16\n" + "add.w r0, r1, r2 :32\n" * 3, False, 5),
    (ALIGNMENT, "cortex-m4", "mov r0, r1 :16\n" + "add.w r0, r1, r2 :32\n" * 9, False, 11),
    (ALIGNMENT, "cortex-m4", "mov r0, r1 :16\nmov r0, r1 :16\n" + "add.w r0, r1, r2 :32\n" * 9, False, 11),
    (ALIGNMENT, "cortex-m4", "mov r0, r1 :16\n" + "str.w r0, [r1] :32\n" * 3, False, 4),
    (ALIGNMENT, "cortex-m4", "mov r0, r1 :16\n" + "str.w r0, [r1] :32\n" * 4, False, 6),
    (
        M7,
        "cortex-m7",
        "nop.w :32\nsubs.w r9, #1 :32\nuxtb.w r0, r0 :32\n" + "nop.w :32\n" * 36 + "bne.w #0 :32",
        True,
        20,
    ),
    (M7, "cortex-m7", "ldr.w r0, [r1] :32\nadd.w r2, r2, r0 :32", False, 2),
    (M7, "cortex-m7", "ldrb.w r0, [r1] :32\nadd.w r2, r2, r0 :32", False, 3),
    (M7, "cortex-m7", "ldr.w r0, [r1] :32\neor.w r2, r2, r0, ror #22 :32", False, 3),
    (M7, "cortex-m7", "ldrb.w r0, [r1] :32\neor.w r2, r2, r0, ror #22 :32", False, 4),
    (M7, "cortex-m7", "ldr.w r0, [r1] :32\nsmlad r2, r0, r3, r2 :32", False, 3),
    (M7, "cortex-m7", "ldrb.w r2, [r1] :32\nsmlad r2, r0, r3, r2 :32", False, 2),
    (M7, "cortex-m7", "ldr.w r0, [r1] :32\nstr.w r0, [r2] :32", False, 1),
    (M7, "cortex-m7", "add.w r0, r1, r2 :32\nstr.w r0, [r3] :32", False, 1),
    (M7, "cortex-m7", "str.w r0, [r2] :32\nstr.w r0, [r3] :32", False, 2),
    (M7, "cortex-m7", "beq.w #0 :32\nadd.w r0, r1, r2 :32", False, 1),
    (M7, "cortex-m7", "uxtb.w r0, r0 :32\nldr.w r1, [r0] :32", False, 3),
    (M7, "cortex-m7", "uadd8 r0, r0, r2 :32\nldr.w r1, [r0] :32", False, 3),
    (M7, "cortex-m7", "add.w r0, r0, r2 :32\nldr.w r1, [r0] :32", False, 2),
    (M7, "cortex-m7", "rev.w r0, r1 :32\nuxtb.w r2, r3 :32", False, 2),
    (M7, "cortex-m7", "ldm.w r0, {r1, r2, r3} :32", False, 2),
]


def assembled(text):
    lines = [line.split(" :") for line in text.strip().splitlines()]
    return [decode(*code.partition(" ")[::2], int(width)) for code, width in lines]


@pytest.mark.parametrize(("source", "core", "text", "taken", "cycles"), MEASURED)
def test_sequences_cost_what_was_measured(source, core, text, taken, cycles):
    assert block_cycles(assembled(text), timing_of(core), taken) == cycles, source


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4"])
def test_loads_and_stores_overlap_in_one_memory_only(core):
    """jnk0le: SRAM1 against SRAM2 and CCM on an STM32F407."""
    apart = replace(timing_of(core), stack_apart=True)
    for second in ("ldr r0, [sp, #8] :16", "str r2, [sp, #8] :16"):
        code = assembled(f"ldr r1, [r3] :16\n{second}")
        assert block_cycles(code, apart) == block_cycles(code, timing_of(core)) + 1


def test_branches_to_unaligned_wide_instructions():
    """i-0.nl, alignment rules; the aligned ones are those of jnk0le's template."""
    wide, narrow = assembled("nop.w :32\nnop :16")
    timing = timing_of("cortex-m4")
    assert [arrival_cycles(wide, address, timing) for address in (0x100, 0x102)] == [0, 1]
    assert arrival_cycles(narrow, 0x102, timing) == 0
    assert arrival_cycles(wide, 0x102, timing_of("cortex-m33")) == 0
