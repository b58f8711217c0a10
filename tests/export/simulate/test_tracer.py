"""The block tracer driven by hand: edges, the cache against plain lists, and what loads are seen to read."""

import ctypes

import numpy as np
import pytest

from export.errors import SimulationError
from export.simulate.tracer import CALLER, SEEN_ELSEWHERE, SEEN_FLASH, BlockTracer, EmulatorInterface, Touch
from export.targets import InstructionCache

BASE = 0x08000000
FLASH = (BASE, BASE + 0x10000)


class Machine:
    """Stands in for the emulator: registers, and whether it was stopped."""

    def __init__(self):
        self.registers = [0] * 16
        self.stopped = False
        read_type = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_uint32)
        )
        stop_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
        self._functions = (stop_type(self._stop), read_type(self._read))
        stop, read = (ctypes.cast(function, ctypes.c_void_p).value for function in self._functions)
        self.interface = EmulatorInterface(stop, read, tuple(range(100, 116)))

    def _stop(self, engine):
        self.stopped = True
        return 0

    def _read(self, engine, name, value):
        value[0] = self.registers[name - 100]
        return 0


def tracer(machine, describe, cache=None, limit=10**6):
    return BlockTracer(
        (BASE, 0x10000),
        FLASH,
        describe=describe,
        emulator=machine.interface,
        cache=cache,
        max_instructions=limit,
    )


def enter(trace, *blocks):
    hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)(
        trace.hook
    )
    for address, size in blocks:
        hook(None, address, size, trace.handle)


def test_edges_are_counted_by_run():
    trace = tracer(Machine(), lambda address, size: ())
    a, b = (BASE, 8), (BASE + 8, 4)
    for repeats in (3, 1):
        enter(trace, a, *[b] * repeats)
        trace.end()
        taken = trace.take()
        assert taken.blocks.tolist() == [list(a), list(b)]
        edges = dict(zip(map(tuple, taken.edges.tolist()), taken.counts.tolist(), strict=True))
        assert edges == {(CALLER, 0): 1, (0, 1): 1, (1, 1): repeats - 1, (1, CALLER): 1}


def test_one_address_may_start_blocks_of_several_extents():
    trace = tracer(Machine(), lambda address, size: ())
    enter(trace, *[(BASE, 8), (BASE, 4)] * 50)
    assert sorted(trace.take().blocks[:, 1].tolist()) == [4, 8]


@pytest.mark.parametrize(("ways", "sets"), [(1, 8), (2, 4), (16, 1)])
def test_cache_replaces_the_least_recently_used_line(ways, sets):
    rng = np.random.default_rng(ways)
    blocks = [(BASE + 64 * number, 32) for number in range(40)]
    touched = {}
    for address, _ in blocks:
        reads = rng.integers(0, 0x800, rng.integers(1, 9)) & ~3
        touched[address] = [(BASE + int(offset), int(rng.choice([1, 4, 40]))) for offset in reads]

    def describe(address, size):
        return [Touch(offset=offset, size=length, reg=-1) for offset, length in touched[address]]

    trace = tracer(Machine(), describe, InstructionCache(16 * ways * sets, ways, 16, True))
    order = [blocks[number] for number in rng.integers(0, len(blocks), 500)]
    enter(trace, *order)
    cache = [[] for _ in range(sets)]
    expected = 0
    for address, _ in order:
        for offset, length in touched[address]:
            for line in range(offset // 16, (offset + length - 1) // 16 + 1):
                lines = cache[line % sets]
                expected += line not in lines
                cache[line % sets] = [line, *(other for other in lines if other != line)][:ways]
    assert int(trace.take().misses.sum()) == expected


def test_loads_through_registers_are_followed():
    machine = Machine()
    loads = [
        Touch(offset=4, size=8, reg=3, access=0),
        Touch(offset=0, size=4, reg=4, access=1),
        Touch(offset=0, size=4, reg=5, access=2),
        Touch(offset=0x4000, size=0, reg=3, access=3),  # only its memory is known: no line of the cache
    ]
    trace = tracer(machine, lambda address, size: loads, InstructionCache(8192, 2, 16, True))
    assert trace.seen(4).tolist() == [0, 0, 0, 0]
    for step in range(40):  # beyond the point where loads that read no flash are let go
        machine.registers[3:6] = [BASE + 16 * step, 0x20000000, BASE + 0x8000 if step == 5 else 0x20000000]
        enter(trace, (BASE, 8))
    assert trace.seen(4).tolist() == [SEEN_FLASH, SEEN_ELSEWHERE, SEEN_FLASH | SEEN_ELSEWHERE, SEEN_FLASH]
    assert int(trace.take().misses.sum()) == 40 + 1


def test_runs_that_go_astray_are_stopped():
    machine = Machine()
    trace = tracer(machine, lambda address, size: ())
    enter(trace, (BASE - 8, 8))
    assert machine.stopped
    with pytest.raises(SimulationError, match="left the code"):
        trace.end()
    machine = Machine()
    trace = tracer(machine, lambda address, size: (), limit=10)
    enter(trace, *[(BASE, 4)] * 10)
    assert not machine.stopped
    enter(trace, (BASE, 4))
    assert machine.stopped
    with pytest.raises(SimulationError, match="max_instructions"):
        trace.end()


def test_errors_while_describing_come_out_again():
    def describe(address, size):
        raise SimulationError("no such instruction")

    machine = Machine()
    trace = tracer(machine, describe)
    enter(trace, (BASE, 8))
    assert machine.stopped
    with pytest.raises(SimulationError, match="no such instruction"):
        trace.end()
