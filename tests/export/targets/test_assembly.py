"""Decoding against the architecture manual's operand roles, mnemonic by mnemonic."""

import pytest

from export.errors import SimulationError
from export.targets.assembly import decode
from export.targets.instruction import FLAGS, LR, PC, SP, Instruction, Kind, Memory

FLASH, STACK = Memory.FLASH, Memory.STACK

GOLDEN = {
    ("smlad", "r0, r1, r2, r3", 32): Instruction(Kind.MAC, (0,), (1, 2), (3,)),
    ("smmlar", "r0, r1, r2, r3", 32): Instruction(Kind.MAC, (0,), (1, 2), (3,)),
    ("smlabteq", "r0, r1, r2, r3", 32): Instruction(Kind.MAC, (0,), (1, 2, FLAGS), (3,)),
    ("smuad", "r0, r1, r2", 32): Instruction(Kind.MUL, (0,), (1, 2)),
    ("muls", "r1, r2, r1", 16): Instruction(Kind.MUL, (1, FLAGS), (2, 1), width=16),
    ("smull", "r0, r1, r2, r3", 32): Instruction(Kind.LONG_MUL, (0, 1), (2, 3)),
    ("smlal", "r0, r1, r2, r3", 32): Instruction(Kind.LONG_MAC, (0, 1), (2, 3), (0, 1)),
    ("ssat", "r0, #8, r1, asr #3", 32): Instruction(Kind.DSP, (0,), (1,)),
    ("pkhbt", "r0, r1, r2, lsl #0x10", 32): Instruction(Kind.DSP, (0,), (1, 2)),
    ("sxtb16", "r0, r1, ror #8", 32): Instruction(Kind.DSP, (0,), (1,)),
    ("sxtab16", "r0, r1, r2, ror #8", 32): Instruction(Kind.EXTEND_ADD, (0,), (2,), (1,)),
    ("add", "r0, r8", 16): Instruction(Kind.ALU, (0,), (0, 8), width=16),
    ("adds", "r0, r0, r1", 16): Instruction(Kind.ALU, (0, FLAGS), (0, 1), width=16),
    ("add", "sp, #8", 16): Instruction(Kind.ALU, (SP,), (SP,), width=16),
    ("addseq.w", "r0, r1, #0x1fc0", 32): Instruction(Kind.ROTATED, (0, FLAGS), (1, FLAGS)),
    ("addw", "r0, r1, #0xfff", 32): Instruction(Kind.ALU, (0,), (1,)),
    ("eor.w", "r0, r1, #0x1b1b1b1b", 32): Instruction(Kind.ALU, (0,), (1,)),
    ("eor.w", "r0, r1, r2, ror #24", 32): Instruction(Kind.SHIFTED, (0,), (1, 2)),
    ("lsl.w", "r0, r1, #3", 32): Instruction(Kind.ALU, (0,), (1,)),
    ("lsls", "r0, r1", 16): Instruction(Kind.ALU, (0, FLAGS), (0, 1), width=16),
    ("lslne", "r0, r1, #2", 16): Instruction(Kind.ALU, (0,), (1, FLAGS), width=16),
    ("mov", "r0, r8", 16): Instruction(Kind.ALU, (0,), (8,), width=16),
    ("movw", "r0, #0x1fc0", 32): Instruction(Kind.ALU, (0,)),
    ("mov.w", "r0, #0x1fc0", 32): Instruction(Kind.ROTATED_MOVE, (0,)),
    ("movt", "r0, #0x4d2", 32): Instruction(Kind.ALU, (0,), (0,)),
    ("bfi", "r0, r1, #2, #3", 32): Instruction(Kind.BITS, (0,), (0, 1)),
    ("rrx", "r0, r1", 32): Instruction(Kind.ALU, (0,), (1, FLAGS)),
    ("cmp.w", "r0, r1, asr #2", 32): Instruction(Kind.SHIFTED, (FLAGS,), (0, 1)),
    ("ldr", "r0, [pc, #0x10]", 16): Instruction(Kind.LOAD, (0,), address=(PC,), width=16, memory=FLASH),
    ("ldr.w", "r0, [r1, r2, lsl #2]", 32): Instruction(Kind.LOAD, (0,), address=(1, 2)),
    ("ldrsh", "r0, [r1, #2]", 32): Instruction(Kind.LOAD_PART, (0,), address=(1,)),
    ("ldr", "r0, [r1], #4", 32): Instruction(Kind.LOAD, (0, 1), address=(1,), writeback=True),
    ("ldr", "pc, [sp], #4", 32): Instruction(
        Kind.LOAD, (PC, SP), address=(SP,), memory=STACK, writeback=True
    ),
    ("str", "lr, [sp, #-0x4]!", 32): Instruction(
        Kind.STORE, (SP,), (LR,), address=(SP,), memory=STACK, writeback=True
    ),
    ("ldrd", "r0, r1, [r2, #8]", 32): Instruction(Kind.LOAD_MULTIPLE, (0, 1), address=(2,), words=2),
    ("ldm", "r0!, {r1, r2, sb}", 32): Instruction(
        Kind.LOAD_MULTIPLE, (1, 2, 9, 0), address=(0,), words=3, writeback=True
    ),
    ("push.w", "{r4, fp, lr}", 32): Instruction(
        Kind.STORE_MULTIPLE, (SP,), (4, 11, LR), address=(SP,), words=3, memory=STACK, writeback=True
    ),
    ("popeq", "{r4, pc}", 16): Instruction(
        Kind.LOAD_MULTIPLE,
        (4, PC, SP),
        (FLAGS,),
        address=(SP,),
        width=16,
        words=2,
        memory=STACK,
        writeback=True,
    ),
    ("ite", "eq", 16): Instruction(Kind.IT, width=16),
    ("bls", "#0", 16): Instruction(Kind.BRANCH, reads=(FLAGS,), width=16),
    ("blt", "#0", 16): Instruction(Kind.BRANCH, reads=(FLAGS,), width=16),
    ("bl", "#0", 32): Instruction(Kind.CALL, (LR,)),
    ("blx", "r3", 16): Instruction(Kind.CALL, (LR,), (3,), width=16),
    ("bxne", "lr", 16): Instruction(Kind.BRANCH, reads=(LR, FLAGS), width=16),
    ("cbz", "r0, #0x90", 16): Instruction(Kind.BRANCH, reads=(0,), width=16),
    ("tbh", "[pc, r0, lsl #1]", 32): Instruction(Kind.TABLE_BRANCH, address=(PC, 0)),
}


@pytest.mark.parametrize("text", GOLDEN, ids=lambda text: " ".join(map(str, text)))
def test_roles(text):
    assert decode(*text) == GOLDEN[text]


@pytest.mark.parametrize("mnemonic", ["vadd.f32", "vldr", "svc", "strex", "mcr", "", "addx"])
def test_unknown_instructions_are_errors(mnemonic):
    with pytest.raises(SimulationError, match="no timing for the instruction"):
        decode(mnemonic, "r0, r1", 32)
