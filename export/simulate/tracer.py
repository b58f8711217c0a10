"""The block tracer: a small C library that counts executed blocks, called by the emulator without passing Python."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from export.artifact.compiling import build_library
from export.errors import SimulationError
from export.targets import InstructionCache

CALLER = 0xFFFFFFFF
"""Block index that stands for whoever called the program."""

SEEN_FLASH, SEEN_ELSEWHERE = 1, 2

_FAILURES = {
    1: "memory ran out while tracing blocks",
    2: "control left the code of the image",
    3: "the program ran too long; raise max_instructions if it is meant to",
}


class Touch(ctypes.Structure):
    """Memory a block reads: `size` bytes at `offset`, plus register `reg` unless that is -1.

    Of size 0 where only the memory is known, not the bytes: the cache is then not looked up.
    `access` is the number of the load, for those with a register.
    """

    _fields_ = (
        ("offset", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("reg", ctypes.c_int32),
        ("access", ctypes.c_uint32),
    )


_Describe = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(Touch), ctypes.c_uint32
)


class _Setup(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_uint32)
            for name in ("base", "size", "flash_start", "flash_end", "line", "sets", "ways")
        ),
        ("limit", ctypes.c_uint64),
        ("register_ids", ctypes.c_int * 16),
        ("stop", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("describe", _Describe),
    )


@dataclass(frozen=True)
class Trace:
    """What was counted in one run.

    Attributes:
        blocks: uint32 [n, 2]: address and bytes of each block ever executed.
        misses: uint64 [n]: cache lines each block had to wait for.
        edges: uint32 [m, 2]: indices of a block and the block control passed to; `CALLER` at the ends.
        counts: uint64 [m]: how often it did.
    """

    blocks: np.ndarray
    misses: np.ndarray
    edges: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class EmulatorInterface:
    """Addresses of the emulator's C functions, and its names of registers 0 to 15."""

    stop: int
    read_register: int
    register_ids: tuple[int, ...]


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="keras_approx_tracer_") as folder:
        library = ctypes.CDLL(str(build_library("block_tracer.c", Path(folder))))
    pointer, word = ctypes.c_void_p, ctypes.c_uint32
    library.tracer_new.restype = pointer
    library.tracer_new.argtypes = [pointer]
    library.tracer_free.argtypes = [pointer]
    library.tracer_end.argtypes = [pointer]
    library.tracer_block_count.argtypes = [pointer]
    library.tracer_block_count.restype = word
    library.tracer_edge_count.argtypes = [pointer]
    library.tracer_edge_count.restype = word
    library.tracer_seen.argtypes = [pointer, pointer, word]
    library.tracer_take.argtypes = [pointer] * 5
    return library


class BlockTracer:
    """Counts the blocks executed in a code region and the cache lines they miss.

    Args:
        code: First address of the code and its bytes.
        flash: First address of the flash and the first behind it.
        describe: Called once for each block with its address and bytes; returns what it touches, in order.
        emulator: How the emulator is reached from C.
        cache: The instruction cache, or None for none.
        max_instructions: A run is stopped some time after this many instructions.

    Raises:
        ToolError: No C compiler for this machine.
    """

    def __init__(
        self,
        code: tuple[int, int],
        flash: tuple[int, int],
        *,
        describe: Callable[[int, int], Sequence[Touch]],
        emulator: EmulatorInterface,
        cache: InstructionCache | None,
        max_instructions: int,
    ) -> None:
        self._library = _library()
        self._error: Exception | None = None

        def describe_block(address: int, size: int, touches: ctypes._Pointer[Touch], room: int) -> int:
            try:
                found = describe(address, size)
                if len(found) > room:
                    raise SimulationError(f"the block at {address:#010x} reads memory more than {room} times")
            except Exception as error:
                self._error = error
                return -1
            for position, touch in enumerate(found):
                touches[position] = touch
            return len(found)

        self._describe = _Describe(describe_block)  # C keeps a pointer to it
        setup = _Setup(
            *(*code, *flash),
            line=cache.line if cache else 1,
            sets=cache.size // (cache.line * cache.ways) if cache else 0,
            ways=cache.ways if cache else 0,
            limit=2 * max_instructions,  # an instruction is one or two halfwords
            register_ids=(ctypes.c_int * 16)(*emulator.register_ids),
            stop=emulator.stop,
            read_register=emulator.read_register,
            describe=self._describe,
        )
        self.handle = self._library.tracer_new(ctypes.byref(setup))
        if not self.handle:
            raise SimulationError("memory ran out while tracing blocks")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._library.tracer_free(self.handle)

    @property
    def hook(self) -> int:
        """Address of the C function the emulator calls before each block, with `handle` as its last argument."""
        address = ctypes.cast(self._library.tracer_block, ctypes.c_void_p).value
        assert address is not None
        return address

    def end(self) -> None:
        """Ends a run.

        Raises:
            SimulationError: It was stopped.
        """
        failure = self._library.tracer_end(self.handle)
        if self._error is not None:
            raise self._error
        if failure:
            raise SimulationError(_FAILURES[failure])

    def take(self) -> Trace:
        """Returns what was counted since the last call, and starts counting anew; the cache keeps its contents."""
        n = self._library.tracer_block_count(self.handle)
        m = self._library.tracer_edge_count(self.handle)
        trace = Trace(
            np.zeros((n, 2), np.uint32),
            np.zeros(n, np.uint64),
            np.zeros((m, 2), np.uint32),
            np.zeros(m, np.uint64),
        )
        arrays = (trace.blocks, trace.misses, trace.edges, trace.counts)
        self._library.tracer_take(self.handle, *(array.ctypes.data for array in arrays))
        return trace

    def seen(self, count: int) -> np.ndarray:
        """Returns what the first loads have read: uint8 [count], of `SEEN_FLASH` and `SEEN_ELSEWHERE`."""
        seen = np.zeros(count, np.uint8)
        self._library.tracer_seen(self.handle, seen.ctypes.data, count)
        return seen
