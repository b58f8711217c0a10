"""How many bytes of flash kernels and the C that calls them take."""

from __future__ import annotations

from export.kernels.language.instructions import ENTRY, EXIT, instructions
from export.kernels.plan import Kernel

CALL_BYTES = 16
"""A kernel call with its arguments, as compilers make it."""

LAYER_BYTES = 16
"""The prologue and return of a layer that calls several times; a single call is a jump."""


def kernel_bytes(kernel: Kernel) -> int:
    """Bytes of a kernel's code, aligned to a word."""
    bits = sum(instruction.width for instruction in (*ENTRY, *EXIT))
    bits += sum(instruction.width for item in kernel.steps for instruction in instructions(item))
    return -(-bits // 32) * 4


def compiled_bytes(sites: int, calls: int) -> int:
    """Bytes of a layer's compiled C.

    Args:
        sites: How many calls are written.
        calls: How many run.
    """
    return CALL_BYTES * sites + (LAYER_BYTES if calls > 1 else 0)
