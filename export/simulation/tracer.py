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
from export.targets import Cache, Flash, Prefetch, Reading

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

    Of size 0 where only the memory is known, not the bytes. `access` is the number of the load, for those with a
    register; `cycle` is the block's in which it happens if nothing waits; `code` is 1 for instructions.
    """

    _fields_ = tuple(
        (name, ctypes.c_int32 if name == "reg" else ctypes.c_uint32)
        for name in ("offset", "size", "reg", "access", "cycle", "code")
    )


@dataclass(frozen=True)
class Description:
    """What the tracer must know of a block.

    Attributes:
        touches: The memory it reads, in order.
        falls: Its cycles if nothing waits and control falls through to what follows.
        leaves: The same if its last branch is taken.
    """

    touches: Sequence[Touch]
    falls: int = 0
    leaves: int = 0


def _words(*names: str) -> tuple[tuple[str, type[ctypes.c_uint32]], ...]:
    return tuple((name, ctypes.c_uint32) for name in names)


class _Description(ctypes.Structure):
    _fields_ = _words("touches", "falls", "leaves")


class _Range(ctypes.Structure):
    _fields_ = _words("base", "size")


class _Cache(ctypes.Structure):
    _fields_ = _words("line", "sets", "ways")


class _Flash(ctypes.Structure):
    _fields_ = (
        *_words("start", "end", "width", "prefetch", "shared"),
        ("code", _Cache),
        ("constants", _Cache),
    )


class _Reading(ctypes.Structure):
    _fields_ = _words("absorbs", "aborts", "constants_ahead", "waits")


_Describe = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.POINTER(_Description),
    ctypes.POINTER(Touch),
    ctypes.c_uint32,
)
_MAX_RANGES, _MAX_READINGS = 4, 8  # as in block_tracer.c
_PREFETCH = {Prefetch.NONE: 0, Prefetch.BESIDE: 1, Prefetch.BEHIND: 2}


class _Setup(ctypes.Structure):
    _fields_ = (
        ("code", _Range * _MAX_RANGES),
        ("code_count", ctypes.c_uint32),
        ("flash", _Flash),
        ("readings", _Reading * _MAX_READINGS),
        ("reading_count", ctypes.c_uint32),
        ("limit", ctypes.c_uint64),
        ("register_ids", ctypes.c_int * 16),
        ("stop", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("describe", _Describe),
    )


def _cache(cache: Cache | None, used: bool = True) -> _Cache:
    return _Cache(cache.line, cache.sets, cache.ways) if cache is not None and used else _Cache(1, 0, 0)


def _flash(flash: Flash | None, ends: tuple[int, int]) -> _Flash:
    """The flash as the tracer takes it; of words without waits if there is none."""
    if flash is None:
        return _Flash(*ends, 4, 0, 0, _cache(None), _cache(None))
    prefetch = _PREFETCH[flash.prefetch]
    own = _cache(flash.constants, not flash.shared)
    return _Flash(*ends, flash.width, prefetch, flash.shared, _cache(flash.code), own)


@dataclass(frozen=True)
class Trace:
    """What was counted in one run.

    Attributes:
        blocks: uint32 [n, 2]: address and bytes of each block ever executed.
        waits: uint64 [n, readings]: cycles each block waited for the flash, by every reading of the documents.
        edges: uint32 [m, 2]: indices of a block and the block control passed to; `CALLER` at the ends.
        counts: uint64 [m]: how often it did.
    """

    blocks: np.ndarray
    waits: np.ndarray
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
        library = ctypes.CDLL(str(build_library("block_tracer.c", Path(folder), headers=("flash_model.h",))))
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
    """Counts the blocks executed in regions of code, and what they wait for the flash.

    Args:
        code: First address and bytes of each region of code.
        flash_ends: First address of the flash that is used and the first behind it.
        describe: Called once for each block with its address and bytes.
        emulator: How the emulator is reached from C.
        flash: How the flash waits, or None if nothing does.
        max_instructions: A run is stopped some time after this many instructions.

    Raises:
        ToolError: No C compiler for this machine.
    """

    def __init__(
        self,
        code: Sequence[tuple[int, int]],
        flash_ends: tuple[int, int],
        *,
        describe: Callable[[int, int], Description],
        emulator: EmulatorInterface,
        flash: Flash | None,
        max_instructions: int,
    ) -> None:
        self._library = _library()
        self._error: Exception | None = None
        self._readings: Sequence[Reading] = flash.readings if flash is not None else ()

        def describe_block(
            address: int,
            size: int,
            description: ctypes._Pointer[_Description],
            touches: ctypes._Pointer[Touch],
            room: int,
        ) -> int:
            try:
                found = describe(address, size)
                if len(found.touches) > room:
                    raise SimulationError(f"the block at {address:#010x} reads memory more than {room} times")
            except Exception as error:
                self._error = error
                return 0
            description[0] = _Description(len(found.touches), found.falls, found.leaves)
            for position, touch in enumerate(found.touches):
                touches[position] = touch
            return 1

        self._describe = _Describe(describe_block)  # C keeps a pointer to it
        if len(code) > _MAX_RANGES:
            raise SimulationError(f"expected at most {_MAX_RANGES} regions of code, got {len(code)}")
        setup = _Setup(
            code=(_Range * _MAX_RANGES)(*(_Range(*region) for region in code)),
            code_count=len(code),
            flash=_flash(flash, flash_ends),
            readings=(_Reading * _MAX_READINGS)(
                *(_Reading(one.absorbs, one.aborts, one.constants_ahead, one.waits) for one in self._readings)
            ),
            reading_count=len(self._readings),
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
        """Returns what was counted since the last call, and starts counting from zero; caches keep their contents."""
        n = self._library.tracer_block_count(self.handle)
        m = self._library.tracer_edge_count(self.handle)
        trace = Trace(
            np.zeros((n, 2), np.uint32),
            np.zeros((n, len(self._readings)), np.uint64),
            np.zeros((m, 2), np.uint32),
            np.zeros(m, np.uint64),
        )
        arrays = (trace.blocks, trace.waits, trace.edges, trace.counts)
        self._library.tracer_take(self.handle, *(array.ctypes.data for array in arrays))
        return trace

    def seen(self, count: int) -> np.ndarray:
        """Returns what the first loads have read: uint8 [count], of `SEEN_FLASH` and `SEEN_ELSEWHERE`."""
        seen = np.zeros(count, np.uint8)
        self._library.tracer_seen(self.handle, seen.ctypes.data, count)
        return seen
