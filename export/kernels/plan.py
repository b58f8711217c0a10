"""What the planner hands to the emitter for one layer: kernels, constants, and the calls that run them."""

from __future__ import annotations

from dataclasses import dataclass

from export.kernels.language import Step


@dataclass(frozen=True)
class Kernel:
    """The steps of one function of the kernel language."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Pointer:
    """An argument of a call.

    Attributes:
        base: "in0", "in1" ... (the layer's inputs), "out" or "constants".
        offset: bytes from its start.
    """

    base: str
    offset: int


@dataclass(frozen=True)
class Call:
    """One run of a kernel.

    Attributes:
        kernel: index of the kernel.
        source: what `in` points to.
        target: what the output pointer points to.
        stream: what `wt` points to, or None.
        table: what the kernel's table pointer points to, or None.
    """

    kernel: int
    source: Pointer
    target: Pointer
    stream: Pointer | None = None
    table: Pointer | None = None


@dataclass(frozen=True)
class Plan:
    """A planned layer.

    Attributes:
        variant: "unpacked", "loop" or "direct", for people to read.
        kernels: the functions.
        calls: in order.
        constants: what streams and tables hold, as words; little-endian where they are bytes.
    """

    variant: str
    kernels: tuple[Kernel, ...]
    calls: tuple[Call, ...]
    constants: tuple[int, ...]


def joined(plans: list[Plan], variant: str) -> Plan:
    """One plan that does the work of several, in order."""
    kernels: list[Kernel] = []
    calls: list[Call] = []
    constants: list[int] = []
    for plan in plans:
        first, start = len(kernels), 4 * len(constants)
        for call in plan.calls:
            calls.append(
                Call(
                    first + call.kernel,
                    _moved(call.source, start),
                    _moved(call.target, start),
                    _moved(call.stream, start) if call.stream else None,
                    _moved(call.table, start) if call.table else None,
                )
            )
        kernels += plan.kernels
        constants += plan.constants
    return Plan(variant, tuple(kernels), tuple(calls), tuple(constants))


def _moved(pointer: Pointer, start: int) -> Pointer:
    return Pointer(pointer.base, pointer.offset + start) if pointer.base == "constants" else pointer
