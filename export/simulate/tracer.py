"""The block tracer: a small C library that counts executed blocks, called by the emulator without passing
Python.
"""

from __future__ import annotations

import ctypes
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from export.build import build_library
from export.errors import SimulationError
from export.targets import InstructionCache

CALLER = 0xFFFFFFFF
"""Block index that stands for whoever called the program."""

_FAILURES = {
    1: "memory ran out while tracing blocks",
    2: "control left the code of the image",
    3: "the program ran too long; raise max_instructions if it is meant to",
}


@dataclass(frozen=True)
class Trace:
    """What was counted over one or more runs.

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


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="keras_approx_tracer_") as folder:
        library = ctypes.CDLL(str(build_library("block_tracer.c", Path(folder))))
    pointer, word = ctypes.c_void_p, ctypes.c_uint32
    library.tracer_new.restype = pointer
    library.tracer_new.argtypes = [word, word, pointer, word, word, word, ctypes.c_uint64, pointer]
    library.tracer_free.argtypes = [pointer]
    library.tracer_end.argtypes = [pointer]
    library.tracer_block_count.argtypes = [pointer]
    library.tracer_block_count.restype = word
    library.tracer_edge_count.argtypes = [pointer]
    library.tracer_edge_count.restype = word
    library.tracer_take.argtypes = [pointer] * 5
    return library


class BlockTracer:
    """Counts the blocks executed in a code region and the instruction cache lines they miss.

    Args:
        base: First address of the code.
        literals: uint32 [code bytes / 2]: for each halfword the address of the literal it loads, or 0.
        cache: The instruction cache, or None for none.
        max_instructions: A run is stopped some time after this many instructions.
        stop: Address of a C function that stops the emulator given as its argument.

    Raises:
        ToolError: No C compiler for this machine.
    """

    def __init__(
        self,
        base: int,
        literals: np.ndarray,
        *,
        cache: InstructionCache | None,
        max_instructions: int,
        stop: int,
    ) -> None:
        self._library = _library()
        passed = literals if cache and cache.literals else np.zeros_like(literals)
        self._literals = np.ascontiguousarray(passed, np.uint32)  # the library keeps a pointer to it
        line, ways = (cache.line, cache.ways) if cache else (1, 0)
        sets = cache.size // (line * ways) if cache else 0
        # An instruction is one or two halfwords, which is what the library counts.
        self.handle = self._library.tracer_new(
            base, 2 * len(literals), self._literals.ctypes.data, line, sets, ways, 2 * max_instructions, stop
        )
        if not self.handle:
            raise SimulationError("memory ran out while tracing blocks")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._library.tracer_free(self.handle)

    @property
    def hook(self) -> int:
        """Address of the C function the emulator calls before each block, with `handle` as its last
        argument.
        """
        address = ctypes.cast(self._library.tracer_block, ctypes.c_void_p).value
        assert address is not None
        return address

    def end(self) -> None:
        """Ends a run.

        Raises:
            SimulationError: It was stopped.
        """
        failure = self._library.tracer_end(self.handle)
        if failure:
            raise SimulationError(_FAILURES[failure])

    def take(self) -> Trace:
        """Returns what was counted since the last call, and starts counting anew; the cache keeps its
        contents.
        """
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
