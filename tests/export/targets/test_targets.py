"""Cores and boards: names, completeness, and errors that list what is known."""

import pytest

from export.errors import TargetError
from export.targets import BOARDS, CORES, get_board, get_core, resolve


def test_cores_and_boards_promised():
    assert set(CORES) == {"cortex-m33", "cortex-m4", "cortex-m7", "cortex-m3", "cortex-m0plus", "host"}
    assert set(BOARDS) == {"nucleo-u575zi-q", "stm32f405", "nucleo-f446re", "nucleo-l4r5zi", "nucleo-h743zi"}


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_boards_are_consistent(name):
    board = get_board(name)
    assert get_core(board.core).timing is not None
    assert board.source and board.clock_hz > 0 and board.flash_bytes > board.ram_bytes > 0
    if board.cache is not None:
        assert board.cache.size % (board.cache.ways * board.cache.line) == 0


def test_only_dsp_cores_are_said_to_have_dsp():
    assert {name for name, core in CORES.items() if core.dsp} == {"cortex-m33", "cortex-m4", "cortex-m7"}


def test_resolve_takes_cores_and_boards():
    assert resolve("cortex-m33").board is BOARDS["nucleo-u575zi-q"]
    assert resolve("cortex-m4").board is None
    assert resolve("stm32f405").core is CORES["cortex-m4"]


@pytest.mark.parametrize("lookup", [get_core, get_board, resolve])
@pytest.mark.parametrize("name", ["", "cortex-m99", 'x"; system("'])
def test_unknown_names_are_refused_with_the_known_ones(lookup, name):
    with pytest.raises(TargetError, match=r"known.*(cortex-m33|nucleo-u575zi-q)"):
        lookup(name)


@pytest.mark.parametrize("target", [["cortex-m33"], None, 33, {}])
def test_what_is_no_name_is_refused(target):
    with pytest.raises(TargetError, match="name of a core or a board"):
        resolve(target)
