"""Cores and boards: names, completeness, and errors that list what is known."""

import pytest

from export.errors import TargetError
from export.targets import BOARDS, CORES, get_board, get_core, resolve


def test_cores_and_boards_promised():
    assert set(CORES) == {"cortex-m33", "cortex-m4", "cortex-m7", "cortex-m3", "cortex-m0plus", "host"}
    assert {
        "nucleo-u575zi-q",
        "stm32f405",
        "nucleo-f446re",
        "nucleo-l4r5zi",
        "nucleo-h743zi",
        "nucleo-h743zi2",
        "nucleo-u5a5zj-q",
        "nucleo-h563zi",
        "nucleo-g474re",
    } <= set(BOARDS)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_boards_are_consistent(name):
    board = get_board(name)
    assert get_core(board.core).timing is not None
    assert board.source
    assert board.flash_bytes > board.ram_bytes > 16 * 1024
    assert any(placement.waits == 0 for placement in board.placements)
    assert len(set(board.flash.readings)) == len(board.flash.readings)


def test_the_fastest_placement_that_holds_the_data_is_taken():
    board = BOARDS["nucleo-h743zi2"]
    assert [board.place(size).origin for size in (0, 127 << 10)] == [0x20000000, 0x20000000]
    assert [board.place(size).origin for size in ((127 << 10) + 1, 1 << 30)] == [0x24000000, 0x24000000]
    assert board.holds(512 << 10)
    assert not board.holds((512 << 10) + 1)


def test_a_stack_in_another_bank_slows_pipelined_loads_only():
    apart = resolve("nucleo-f446re")
    assert apart.timing.stack_apart
    assert resolve("stm32f405").placed(1 << 16).timing is apart.timing
    assert resolve("stm32f405").timing is CORES["cortex-m4"].timing  # both in CCM
    assert resolve("cortex-m4").timing is CORES["cortex-m4"].timing
    assert resolve("nucleo-u575zi-q").timing is CORES["cortex-m33"].timing


def test_only_dsp_cores_are_said_to_have_dsp():
    assert {name for name, core in CORES.items() if core.dsp} == {"cortex-m33", "cortex-m4", "cortex-m7"}


def test_resolve_takes_cores_and_boards():
    assert resolve("cortex-m33").board is BOARDS["nucleo-u575zi-q"]
    assert resolve("cortex-m4").board is None
    assert resolve("stm32f405").core is CORES["cortex-m4"]


MINE = """
name = "mine"
like = "nucleo-g474re"
clock_hz = 64_000_000
source = "schematic"
[flash]
waits = 1
"""


def test_a_board_file_is_a_target(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    for name in (path, str(path)):
        target = resolve(name)
        assert (target.core.name, target.board.name, target.board.clock_hz) == (
            "cortex-m4",
            "mine",
            64_000_000,
        )
        assert target.board.flash.waits == 1
        assert target.board.banks == BOARDS["nucleo-g474re"].banks
    assert get_board(str(path)) == resolve(path).board
    path.write_text(MINE.replace("mine", "stm32f405"))
    with pytest.raises(TargetError, match=r"mine\.toml: name: expected a name that no listed board has"):
        resolve(path)
    path.write_text(MINE.replace("nucleo-g474re", "arduino"))
    with pytest.raises(TargetError, match=r"like: expected one of .*stm32f405.*, got 'arduino'"):
        resolve(path)
    path.write_bytes(b"\xff")
    with pytest.raises(TargetError, match=r"cannot read the board file .*mine\.toml"):
        resolve(path)
    path.write_text("#" * 100_000)
    with pytest.raises(TargetError, match="at most 65,536 bytes"):
        resolve(path)
    with pytest.raises(
        TargetError, match=r"cannot read the board file .*none\.toml.*No such file or directory; check"
    ):
        resolve(tmp_path / "none.toml")


@pytest.mark.parametrize("lookup", [get_core, get_board, resolve])
@pytest.mark.parametrize("name", ["", "cortex-m99", 'x"; system("'])
def test_unknown_names_are_refused_with_the_known_ones(lookup, name):
    with pytest.raises(TargetError, match=r"known.*(cortex-m33|nucleo-u575zi-q)"):
        lookup(name)


@pytest.mark.parametrize("lookup", [get_core, get_board, resolve])
@pytest.mark.parametrize("target", [["cortex-m33"], None, 33, {}])
def test_what_is_no_name_is_refused(lookup, target):
    with pytest.raises(TargetError, match=r"expected the name of a (core|board)"):
        lookup(target)
