"""A bare core that runs an exported network: memory, calls and stack, without start-up code or peripherals."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import unicorn
from unicorn import arm_const
from unicorn.unicorn_py3.unicorn import uclib

from export.artifact.linked_elf import LinkedElf
from export.artifact.manifest import places
from export.errors import SimulationError
from export.simulation.listing import Listing
from export.simulation.memory_map import MemoryMap
from export.simulation.tracer import BlockTracer, EmulatorInterface, Trace
from export.targets import Flash, Memory, Timing

_PAGE = 4096
_STACK_BYTES = 1 << 16
_FREE = 0x60000000  # external memory: from here on the first that the image does not use
_FREE_STEP = 1 << 24
_RETURN = 0x1F000000  # in the code region of the Armv7-M memory map: others may not be executed
_PAINT = 0xA5


class Emulator:
    """Runs an image's `<name>_run` on an emulated core. Memory keeps its contents between runs.

    Args:
        image: What to run.
        listing: Its code.
        flash: How the flash waits, or None if nothing does.
        timing: The core's pipeline.
        max_instructions: A run of many more instructions than this is an error.

    Raises:
        ToolError: No C compiler for this machine.
    """

    def __init__(
        self,
        image: LinkedElf,
        listing: Listing,
        *,
        flash: Flash | None,
        timing: Timing,
        max_instructions: int,
    ) -> None:
        assert image.core.emulator is not None
        self._image = image
        self._entry = image.address_of(f"{image.manifest.name}_run")
        manifest = image.manifest
        input_pages, output_pages = (_pages(places(ends)[1]) for ends in (manifest.inputs, manifest.outputs))
        pointer_pages = _pages(4 * len(manifest.inputs + manifest.outputs))
        size = _STACK_BYTES + input_pages + output_pages + pointer_pages
        self._stack = _free(size, [*image.ram_ranges, *((s.address, len(s.data)) for s in image.segments)])
        self._inputs = self._stack + _STACK_BYTES
        self._output = self._inputs + input_pages
        self._pointers = self._output + output_pages
        machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        machine.ctl_set_cpu_model(getattr(arm_const, image.core.emulator))
        self._machine = machine
        read, write, execute = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
        kept = [segment for segment in image.segments if not segment.writable]
        start = min(segment.address for segment in kept) & -_PAGE
        machine.mem_map(start, _pages(max(s.address + len(s.data) for s in kept) - start), read | execute)
        for first, used in _page_ranges(image.ram_ranges):
            machine.mem_map(first, used, read | write | execute)
        machine.mem_map(self._stack, size, read | write)
        machine.mem_map(_RETURN, _PAGE, read | execute)
        for segment in image.segments:
            machine.mem_write(segment.address, segment.data)
        machine.mem_write(self._stack, bytes([_PAINT]) * _STACK_BYTES)
        # The hook is given to the C interface directly: a Python function for every block would cost more
        # than emulating it. Memory hooks are avoided: with them, Unicorn 2.1.4 mis-executes the instruction
        # after IT.
        ends = (start, max(segment.address + len(segment.data) for segment in kept))
        self._map = MemoryMap(listing, ends, flash, timing)
        self._tracer = BlockTracer(
            listing.regions,
            ends,
            describe=self._map.describe,
            emulator=EmulatorInterface(
                stop=_address(uclib.uc_emu_stop),
                read_register=_address(uclib.uc_reg_read),
                register_ids=tuple(
                    getattr(arm_const, f"UC_ARM_REG_{name}")
                    for name in (*(f"R{number}" for number in range(13)), "SP", "LR", "PC")
                ),
            ),
            flash=flash,
            max_instructions=max_instructions,
        )
        status = uclib.uc_hook_add(
            machine._uch,
            ctypes.byref(ctypes.c_size_t()),
            unicorn.UC_HOOK_BLOCK,
            ctypes.c_void_p(self._tracer.hook),
            ctypes.c_void_p(self._tracer.handle),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status != unicorn.UC_ERR_OK:
            raise SimulationError(f"the emulator refused the block hook with status {status}")

    def run(self, values: np.ndarray) -> np.ndarray:
        """Runs the network once.

        Args:
            values: uint8 [bytes of the inputs], see `Manifest.pack`.

        Returns:
            uint8 [bytes of the outputs].

        Raises:
            SimulationError: The program faulted, ran too long, or returned an error.
        """
        machine = self._machine
        _, output_size = places(self._image.manifest.outputs)
        machine.mem_write(self._inputs, values.tobytes())
        machine.mem_write(self._output, bytes(output_size))
        machine.reg_write(arm_const.UC_ARM_REG_SP, self._stack + _STACK_BYTES)
        machine.reg_write(arm_const.UC_ARM_REG_LR, _RETURN | 1)
        first, second = self._arguments()
        machine.reg_write(arm_const.UC_ARM_REG_R0, first)
        machine.reg_write(arm_const.UC_ARM_REG_R1, second)
        try:
            machine.emu_start(self._entry | 1, _RETURN)
        except unicorn.UcError as error:
            at = machine.reg_read(arm_const.UC_ARM_REG_PC)
            raise SimulationError(
                f"the program faulted at {at:#010x} in {self._image.symbol_at(at) or 'unknown code'}: {error}"
            ) from error
        self._tracer.end()
        status = machine.reg_read(arm_const.UC_ARM_REG_R0)
        if status != 0:
            raise SimulationError(f"{self._image.manifest.name}_run returned {status}, expected 0")
        return np.frombuffer(bytes(machine.mem_read(self._output, output_size)), np.uint8)

    def _arguments(self) -> tuple[int, int]:
        """What the network is called with: the input and the output, or structs of pointers to several."""
        manifest = self._image.manifest
        if manifest.single:
            return self._inputs, self._output
        inputs = [self._inputs + start for start in places(manifest.inputs)[0]]
        outputs = [self._output + start for start in places(manifest.outputs)[0]]
        self._machine.mem_write(self._pointers, struct.pack(f"<{len(inputs + outputs)}I", *inputs, *outputs))
        return self._pointers, self._pointers + 4 * len(inputs)

    def take(self) -> Trace:
        """Returns the blocks executed since the last call, and starts counting from zero; caches stay as they are."""
        return self._tracer.take()

    def memories(self) -> dict[int, Memory]:
        """Returns which memory loads have read, by the address of the load."""
        return self._map.memories(self._tracer.seen(self._map.load_count))

    def stack_bytes(self) -> int:
        """Returns the deepest the stack has been: how much of its paint is gone."""
        stack = np.frombuffer(bytes(self._machine.mem_read(self._stack, _STACK_BYTES)), np.uint8)
        touched = np.flatnonzero(stack != _PAINT)
        return _STACK_BYTES - int(touched[0]) if touched.size else 0


def _address(function: Any) -> int:
    """The address of a function of a C library."""
    value = ctypes.cast(function, ctypes.c_void_p).value
    assert value is not None
    return value


def _free(size: int, taken: Iterable[tuple[int, int]]) -> int:
    """The first address from `_FREE` on where so many bytes overlap nothing that is taken: (address, bytes)."""
    ranges = tuple(taken)
    return next(
        start
        for start in range(_FREE, 1 << 32, _FREE_STEP)
        if all(start + size <= first or first + used <= start for first, used in _page_ranges(ranges))
    )


def _pages(size: int) -> int:
    """Bytes rounded up to whole pages, at least one."""
    return max(1, -(-size // _PAGE)) * _PAGE


def _page_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Whole pages around ranges of bytes, each page once: first address and bytes."""
    pages = {page for first, size in ranges for page in range(first & -_PAGE, first + size, _PAGE)}
    return [(page, _PAGE) for page in sorted(pages)]
