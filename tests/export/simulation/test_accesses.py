"""Which addresses of a block's loads follow from the registers it is entered with."""

import pytest

from export.simulation.accesses import Access, Line, block_accesses

WORDS = {0x120: 0x08004000}


def accesses(*code):
    """Each instruction as (mnemonic, operands), four bytes long, from 0x100."""
    lines = [Line(0x100 + 4 * position, 4, *text) for position, text in enumerate(code)]
    return [
        (found.instruction - 0x100, found.register, found.offset, found.size)
        for found in block_accesses(lines, WORDS.get)
    ]


def test_offsets_and_steps_of_a_base_register():
    assert accesses(
        ("ldr", "r0, [r1, #0x10]"),
        ("ldrh", "r0, [r1], #2"),
        ("ldrsb", "r0, [r1, #-0x3]"),
        ("ldr", "r2, [r1, #4]!"),
        ("ldrd", "r2, r3, [r1, #8]"),
        ("ldm", "r1!, {r4, r5, r6}"),
        ("ldmdb", "r1!, {r4, r5}"),
        ("str", "r0, [r1], #4"),
        ("ldrb.w", "r0, [r1]"),
    ) == [
        (0, 1, 16, 4),
        (4, 1, 0, 2),
        (8, 1, (2 - 3) & 0xFFFFFFFF, 1),
        (12, 1, 6, 4),
        (16, 1, 14, 8),
        (20, 1, 6, 12),
        (24, 1, 10, 8),
        (32, 1, 14, 1),
    ]


@pytest.mark.parametrize(
    ("set_up", "register", "offset"),
    [
        ([("mov", "r2, r1")], 1, 0),
        ([("add.w", "r2, r1, #0x40"), ("subs", "r2, #4")], 1, 0x3C),
        ([("ldr", "r2, [pc, #0x1c]")], None, 0x08004000),
        ([("movw", "r2, #0x4000"), ("movt", "r2, #0x800")], None, 0x08004000),
        ([("adr", "r2, #0x1c")], None, 0x120),
        ([("addw", "r2, pc, #0x1c")], None, 0x120),
    ],
)
def test_bases_that_are_known_sums(set_up, register, offset):
    assert accesses(*set_up, ("ldr", "r0, [r2, #4]"))[-1][1:] == (register, offset + 4, 4)


@pytest.mark.parametrize(
    "set_up",
    [
        [("ldr", "r2, [r3]")],
        [("add", "r2, r1, r3")],
        [("add.w", "r2, r1, r3, lsl #2")],
        [("addeq", "r2, r1, #4")],
        [("mov", "r2, sp")],
        [("lsls", "r2, r2, #1")],
        [("smlad", "r2, r3, r4, r2")],
    ],
)
def test_bases_that_are_not(set_up):
    before = accesses(*set_up)
    assert accesses(*set_up, ("ldr", "r0, [r2, #4]")) == before


def test_stack_loads_are_left_out():
    code = (("pop", "{r4, pc}"), ("ldr", "r0, [sp, #8]"), ("ldr", "r0, [sp, r1]"))
    assert accesses(*code) == []


def test_indexed_loads_read_the_memory_of_their_base():
    assert accesses(
        ("adds", "r1, #4"),
        ("ldr.w", "r0, [r1, r2, lsl #2]"),
        ("ldr", "r3, [pc, #0x14]"),  # 0x120
        ("ldrsb", "r0, [r3, r2]"),
        ("add", "r1, r2"),
        ("ldrb", "r0, [r1, r2]"),
    ) == [(4, 1, 4, 0), (8, None, 0x120, 4), (12, None, 0x08004000, 0)]


def test_access_names_its_instruction():
    found = block_accesses([Line(0x100, 2, "ldr", "r0, [r1]")], WORDS.get)
    assert found == [Access(0x100, 1, 0, 4)]
