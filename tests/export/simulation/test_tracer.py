"""The block tracer driven by hand: edges, the cache against plain lists, and what loads are seen to read."""

import ctypes

import numpy as np
import pytest

from export.errors import SimulationError
from export.simulation.tracer import (
    CALLER,
    SEEN_ELSEWHERE,
    SEEN_FLASH,
    BlockTracer,
    Description,
    EmulatorInterface,
    Touch,
)
from export.targets import Cache, Flash, Prefetch
from tests.export.simulation.flash_reference import FlashReference

BASE = 0x08000000
ENDS = (BASE, BASE + 0x10000)
NOTHING = Description(())
UNIFIED = Flash(BASE, 0x10000, 4, 16, Prefetch.BEHIND, Cache(8192, 2, 16), Cache(8192, 2, 16), shared=True)


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


def tracer(machine, describe, flash=None, limit=10**6):
    return BlockTracer(
        [(BASE, 0x10000), (0x10000000, 0x1000)],
        ENDS,
        describe=describe,
        emulator=machine.interface,
        flash=flash,
        max_instructions=limit,
    )


def enter(trace, *blocks):
    hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)(
        trace.hook
    )
    for address, size in blocks:
        hook(None, address, size, trace.handle)


def test_edges_are_counted_by_run():
    trace = tracer(Machine(), lambda address, size: NOTHING)
    a, b = (BASE, 8), (BASE + 8, 4)
    for repeats in (3, 1):
        enter(trace, a, *[b] * repeats)
        trace.end()
        taken = trace.take()
        assert taken.blocks.tolist() == [list(a), list(b)]
        edges = dict(zip(map(tuple, taken.edges.tolist()), taken.counts.tolist(), strict=True))
        assert edges == {(CALLER, 0): 1, (0, 1): 1, (1, 1): repeats - 1, (1, CALLER): 1}


def test_one_address_may_start_blocks_of_several_extents():
    trace = tracer(Machine(), lambda address, size: NOTHING)
    enter(trace, *[(BASE, 8), (BASE, 4)] * 50)
    assert sorted(trace.take().blocks[:, 1].tolist()) == [4, 8]


def _flash(width, prefetch, code, constants, shared=False, most_waits=None):
    return Flash(BASE, 0x10000, 5, width, prefetch, code, constants, shared, most_waits)


FLASHES = {
    "no cache": _flash(16, Prefetch.NONE, None, None),
    "two ways": _flash(16, Prefetch.NONE, Cache(128, 2, 16), Cache(64, 1, 16), most_waits=9),
    "art": _flash(16, Prefetch.BESIDE, Cache(128, 8, 16), Cache(32, 2, 16)),
    "short reads": _flash(8, Prefetch.BESIDE, Cache(128, 4, 32), Cache(64, 2, 32)),
    "unified": _flash(16, Prefetch.BEHIND, Cache(128, 2, 16), Cache(128, 2, 16), shared=True),
}


@pytest.mark.parametrize("name", FLASHES)
def test_waits_are_those_of_a_plain_model(name):
    """Random blocks, each a run of code with constants between, against the model written down once more."""
    flash = FLASHES[name]
    rng = np.random.default_rng(len(name))
    blocks = {BASE + 64 * number: _block(rng, BASE + 64 * number) for number in range(12)}
    trace = tracer(Machine(), lambda address, size: blocks[address], flash)
    order = [BASE + 64 * int(number) for number in rng.integers(0, len(blocks), 400)]
    enter(trace, *((address, 48) for address in order))
    expected = []
    for reading in flash.readings:
        model, now, waited = FlashReference(flash, reading), 0, 0
        for address, following in zip(order, [*order[1:], None], strict=True):
            for touch in blocks[address].touches:
                for piece in range(
                    touch.offset // flash.width, (touch.offset + touch.size - 1) // flash.width + 1
                ):
                    at = now + touch.cycle + waited
                    waited += model.fetch(piece, at) if touch.code else model.load(piece, at)
            now += blocks[address].falls if following == address + 48 else blocks[address].leaves
        expected.append(waited)
    assert trace.take().waits.sum(axis=0).tolist() == expected
    assert len(set(expected)) > 1 or len(expected) == 1


def _block(rng, address):
    touches, cycle = [], 0
    for offset in range(0, 48, 8):
        touches.append(Touch(offset=address + offset, size=1, reg=-1, cycle=cycle, code=1))
        if rng.random() < 0.4:
            constant = BASE + 0x1000 + 4 * int(rng.integers(0, 60))
            touches.append(Touch(offset=constant, size=int(rng.choice([1, 4, 20])), reg=-1, cycle=cycle))
        cycle += int(rng.integers(1, 8))
    return Description(touches, cycle, cycle + 2)


def test_a_line_waits_for_its_prefetch_no_longer_than_it_runs_short():
    """max(T, waits + 1) cycles a line, RM0090 3.5.2: with 5 wait states 4, 6 and 9 cycles of execution."""
    for time, waits in ((4, 2), (6, 0), (9, 0)):
        touches = [
            Touch(offset=BASE + 16 * line, size=1, reg=-1, cycle=time * line, code=1) for line in range(50)
        ]
        trace = tracer(Machine(), lambda address, size, touches=touches: Description(touches), FLASHES["art"])
        enter(trace, (BASE, 800))
        assert set(trace.take().waits.sum(axis=0).tolist()) == {5 + 49 * waits}


def test_loads_through_registers_are_followed():
    machine = Machine()
    loads = [
        Touch(offset=4, size=8, reg=3, access=0),
        Touch(offset=0, size=4, reg=4, access=1),
        Touch(offset=0, size=4, reg=5, access=2),
        Touch(offset=0x4000, size=0, reg=3, access=3),  # only its memory is known: no line of the cache
    ]
    trace = tracer(machine, lambda address, size: Description(loads, 20, 20), UNIFIED)
    assert trace.seen(4).tolist() == [0, 0, 0, 0]
    for step in range(40):  # beyond the point where loads that read no flash are let go
        machine.registers[3:6] = [BASE + 16 * step, 0x20000000, BASE + 0x8000 if step == 5 else 0x20000000]
        enter(trace, (BASE, 8))
    assert trace.seen(4).tolist() == [SEEN_FLASH, SEEN_ELSEWHERE, SEEN_FLASH | SEEN_ELSEWHERE, SEEN_FLASH]
    most = trace.take().waits.sum(axis=0).max()
    assert most == 4 * (40 + 1) + 1  # every line once, none of them read ahead, and one right behind another


def test_runs_that_go_astray_are_stopped():
    machine = Machine()
    trace = tracer(machine, lambda address, size: NOTHING)
    enter(trace, (BASE - 8, 8))
    assert machine.stopped
    with pytest.raises(SimulationError, match="left the code"):
        trace.end()
    machine = Machine()
    trace = tracer(machine, lambda address, size: NOTHING, limit=10)
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
