"""The timing model against the tables and measurements it is made from, case by case."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.targets import (
    CORES,
    READY,
    Instruction,
    Kind,
    Memory,
    block_cycles,
    continue_cycles,
    issue_cycles,
)
from export.targets.instruction import FLAGS, PC, SP
from tests.export.timings import timing_of

M33 = timing_of("cortex-m33")
M4 = timing_of("cortex-m4")
M3 = timing_of("cortex-m3")
M0PLUS = timing_of("cortex-m0plus")
M7 = timing_of("cortex-m7")


def alu(to, *operands, width=32, flags=False):
    return Instruction(Kind.ALU, (to, FLAGS) if flags else (to,), operands, width=width)


def compare(*operands, width=16):
    return Instruction(Kind.ALU, (FLAGS,), operands, width=width)


def load(to, base=7, *, index=(), width=32, post=False, memory=Memory.SRAM):
    writes = (to, base) if post else (to,)
    return Instruction(Kind.LOAD, writes, address=(base, *index), width=width, memory=memory, writeback=post)


def literal(to):
    return load(to, PC, memory=Memory.FLASH)


def store(data, base=7, *, index=(), width=32):
    return Instruction(Kind.STORE, reads=(data,), address=(base, *index), width=width)


def mac(accumulator, a, b):
    return Instruction(Kind.MAC, (accumulator,), (a, b), (accumulator,))


def branch(width=16, conditional=True):
    return Instruction(Kind.BRANCH, reads=(FLAGS,) if conditional else (), width=width)


def load_multiple(*registers, base=7):
    return Instruction(Kind.LOAD_MULTIPLE, registers, address=(base,), words=len(registers))


def test_m33_macs_chain_on_the_accumulator_every_cycle():
    assert block_cycles([mac(0, 4, 5)] * 8, M33) == 8


def test_m33_mac_result_waits_a_cycle_for_an_ordinary_use():
    assert block_cycles([mac(0, 4, 5), alu(1, 0)], M33) == 3
    assert block_cycles([mac(0, 4, 5), alu(2, 3), alu(1, 0)], M33) == 3


def test_m33_load_use():
    assert block_cycles([load(0), alu(1, 0)], M33) == 3
    assert block_cycles([load(0), load(1), alu(2, 0)], M33) == 3
    assert block_cycles([load(4), mac(0, 4, 5)], M33) == 3
    assert block_cycles([load(0), mac(0, 4, 5)], M33) == 2  # as the accumulator
    assert block_cycles([load(0), store(0)], M33) == 2
    assert block_cycles([load(7, 6), load(0, 7)], M33) == 3  # as the address


def test_m33_extend_and_add_chains_but_takes_no_fresh_load():
    extend = Instruction(Kind.EXTEND_ADD, (0,), (4,), (0,))
    assert block_cycles([extend] * 4, M33) == 4
    assert block_cycles([load(0), extend], M33) == 3


@pytest.mark.parametrize("kind", [Kind.SHIFTED, Kind.ROTATED, Kind.DSP, Kind.MUL, Kind.LONG_MUL])
def test_m33_two_stage_results(kind):
    assert block_cycles([Instruction(kind, (0,), (1, 2)), alu(3, 0)], M33) == 3


def test_m33_flag_setting_product_takes_two_cycles():
    assert block_cycles([Instruction(Kind.MUL, (0, FLAGS), (0, 1), width=16)], M33) == 2
    assert block_cycles([Instruction(Kind.ROTATED, (0, FLAGS), (1,))], M33) == 2
    assert block_cycles([Instruction(Kind.SHIFTED, (0, FLAGS), (1,))], M33) == 1


def test_m33_loops_as_measured():
    """The three loop ends of the source: 3, 3 and 6 cycles taken."""
    decrement = alu(7, 7, width=16, flags=True)
    add = alu(0, 0, 1, width=16)
    four = Instruction(Kind.LOAD_MULTIPLE, (0, 1, 2, 3, 6), address=(6,), words=4, width=16, writeback=True)
    assert block_cycles([decrement, branch()], M33, taken=True) == 3
    assert block_cycles([decrement, branch()], M33, taken=False) == 1
    assert block_cycles([decrement, add, branch()], M33, taken=True) == 3
    assert block_cycles([decrement, add, branch()], M33, taken=False) == 2
    assert block_cycles([decrement, four, branch()], M33, taken=True) == 6
    assert block_cycles([decrement, four, branch()], M33, taken=False) == 5


def test_m33_pairs_only_narrow_instructions():
    add = alu(0, 0, 1, width=16)
    assert block_cycles([add, add], M33) == 2
    assert block_cycles([add, branch(width=32)], M33, taken=True) == 3
    assert block_cycles([alu(0, 0, 1), branch()], M33, taken=True) == 3
    nop = Instruction(Kind.NOP, width=16)
    assert block_cycles([add, nop], M33) == 1
    assert block_cycles([add, nop, nop], M33) == 2  # the second of a pair is not the first of another


def test_m33_multiple_loads_take_a_cycle_a_word():
    assert block_cycles([load_multiple(0, 1, 2, 3)], M33) == 4
    assert block_cycles([load_multiple(0, 1)], M33) == 2  # LDRD
    assert block_cycles([load_multiple(0, 1, 2, 3), alu(4, 0)], M33) == 5
    assert block_cycles([load_multiple(0, 1, 2, 3), alu(4, 3)], M33) == 6


def test_m33_updated_base_is_ready_at_once():
    assert block_cycles([load(0, 7, post=True), load(1, 7, post=True)], M33) == 2
    pop = Instruction(Kind.LOAD_MULTIPLE, (4, 5, SP), address=(SP,), words=2, writeback=True)
    assert block_cycles([pop, alu(0, SP)], M33) == 3


def test_m4_loads_pipeline_in_one_memory_only():
    assert block_cycles([load(0)], M4) == 2
    assert block_cycles([load(0), load(1), load(2)], M4) == 4
    assert block_cycles([literal(0), literal(1), literal(2)], M4) == 4
    assert block_cycles([load(0), literal(1)], M4) == 4
    assert block_cycles([load(0), alu(3, 4), load(1)], M4) == 5


def test_m4_post_indexed_loads_chain_on_different_bases_only():
    assert block_cycles([load(0, 7, post=True), load(1, 7, post=True)], M4) == 4
    assert block_cycles([load(0, 7, post=True), load(1, 6, post=True)], M4) == 3


def test_m4_pointer_chasing_does_not_pipeline():
    assert block_cycles([load(6, 7), load(0, 6)], M4) == 4


def test_m4_address_needs_its_register_a_cycle_early():
    assert block_cycles([alu(7, 7, 1), load(0, 7)], M4) == 4
    assert block_cycles([alu(7, 7, 1), alu(1, 2), load(0, 7)], M4) == 4


def test_m4_stores():
    assert block_cycles([store(0)], M4) == 1
    assert block_cycles([store(0), store(1)], M4) == 2
    assert block_cycles([store(0, index=(3,))], M4) == 2
    assert block_cycles([load(0), store(1)], M4) == 2
    assert block_cycles([store(1), load(0)], M4) == 4


def test_m4_table_of_the_manual():
    assert block_cycles([load_multiple(0, 1, 2, 3)], M4) == 5
    assert block_cycles([load_multiple(0, 1)], M4) == 3  # LDRD
    assert block_cycles([branch()], M4, taken=True) == 2
    assert block_cycles([Instruction(Kind.BRANCH, reads=(14,), width=16)], M4, taken=True) == 3
    assert block_cycles([branch()], M4, taken=False) == 1
    assert block_cycles([mac(0, 4, 5)] * 3 + [alu(1, 0)], M4) == 4
    assert block_cycles([Instruction(Kind.LONG_MUL, (0, 1), (2, 3))], M4) == 1
    assert block_cycles([alu(0, 1, 2), Instruction(Kind.SHIFTED, (0,), (1, 2)), alu(3, 0)], M4) == 3
    pop_pc = Instruction(Kind.LOAD_MULTIPLE, (4, PC, SP), address=(SP,), words=2, width=16, writeback=True)
    assert block_cycles([pop_pc], M4, taken=True) == 5


def test_m3_has_slower_products():
    assert block_cycles([Instruction(Kind.MUL, (0,), (1, 2))], M3) == 1
    assert block_cycles([mac(0, 1, 2)], M3) == 2


def test_m0plus_table_of_the_manual():
    assert block_cycles([load(0)] * 3, M0PLUS) == 6
    assert block_cycles([store(0)], M0PLUS) == 2
    assert block_cycles([load_multiple(0, 1, 2)], M0PLUS) == 4
    assert block_cycles([branch()], M0PLUS, taken=True) == 2
    assert block_cycles([Instruction(Kind.CALL, (14,))], M0PLUS, taken=True) == 3


def test_m7_pairs_independent_instructions():
    assert block_cycles([alu(0, 1), alu(2, 3)], M7) == 1
    assert block_cycles([alu(0, 1), alu(2, 0)], M7) == 2
    assert block_cycles([mac(0, 4, 5), mac(1, 4, 5)], M7) == 2
    assert block_cycles([mac(0, 4, 5), load(2)], M7) == 1
    assert block_cycles([load_multiple(0, 1, 2, 3)], M7) == 2


def test_issue_cycles_lists_every_instruction_and_the_end():
    assert issue_cycles([load(0), alu(1, 0), alu(2, 3)], M33) == [0, 2, 3, 4]
    assert issue_cycles([], M33) == [0]


def _instructions():
    register = st.integers(0, 12)
    return st.one_of(
        st.builds(alu, register, register, width=st.sampled_from([16, 32]), flags=st.booleans()),
        st.builds(mac, register, register, register),
        st.builds(load, register, register),
        st.builds(literal, register),
        st.builds(store, register, register),
        st.builds(compare, register),
    )


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(_instructions(), max_size=12), st.sampled_from(sorted(set(CORES) - {"host"})))
def test_issue_never_goes_back_and_joining_blocks_costs_at_least_the_longer(block, core):
    timing = timing_of(core)
    cycles = issue_cycles(block, timing)
    assert len(cycles) == len(block) + 1
    assert all(later >= earlier for earlier, later in itertools.pairwise(cycles))
    for cut in range(len(block) + 1):
        assert block_cycles(block[:cut], timing) <= cycles[-1]


@given(st.lists(_instructions(), max_size=12), st.sampled_from(sorted(set(CORES) - {"host"})), st.data())
def test_cycles_of_pieces_add_up(block, core, data):
    timing = timing_of(core)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(block)), max_size=4)))
    total, state = 0, READY
    for start, end in itertools.pairwise([0, *cuts, len(block)]):
        cycles, state = continue_cycles(block[start:end], timing, state)
        total += cycles
    assert total == block_cycles(block, timing)
