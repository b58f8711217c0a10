"""What the planner hands to the emitter for one layer: kernels, constants, and the calls that run them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from export.kernels.language.instructions import aligned, wide
from export.kernels.language.steps import FRAME, Step
from export.targets import Timing


@dataclass(frozen=True)
class Kernel:
    """One function of the kernel language.

    Attributes:
        steps: Between BEGIN and END.
        frame: Stack slots it uses.
        copied: Whether it runs as a copy from RAM.
    """

    steps: tuple[Step, ...]
    frame: int = FRAME
    copied: bool = False


@dataclass(frozen=True)
class Pointer:
    """An argument of a call.

    Attributes:
        base: "in0", "in1" ... (the layer's inputs), "out", "constants" or "scratch".
        offset: Bytes from its start.
        stride: Bytes it moves from one turn of a `Repeat` around the call to the next.
    """

    base: str
    offset: int
    stride: int = 0


@dataclass(frozen=True)
class Call:
    """One run of a kernel.

    Attributes:
        kernel: Index of the kernel.
        source: What `in` points to.
        target: What the output pointer points to.
        stream: What `wt` points to, or None.
        table: What the kernel's table pointer points to, or None.
        counts: How often those loops of the kernel turn that read it from the constants, by name.
    """

    kernel: int
    source: Pointer
    target: Pointer
    stream: Pointer | None = None
    table: Pointer | None = None
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def pointers(self) -> tuple[Pointer | None, Pointer | None, Pointer | None, Pointer | None]:
        """Arguments, in the order of `ka_kernel`."""
        return self.source, self.stream, self.target, self.table

    def moved(self, kernels: int, constants: int, turns: int = 0) -> Call:
        """The same call with its kernel, its constants or its strides' turns counted from elsewhere."""

        def pointer(one: Pointer | None) -> Pointer | None:
            if one is None:
                return None
            start = constants if one.base == "constants" else 0
            return replace(one, offset=one.offset + start + turns * one.stride)

        source, stream, target, table = map(pointer, self.pointers)
        assert source is not None
        assert target is not None
        return replace(
            self, kernel=self.kernel + kernels, source=source, target=target, stream=stream, table=table
        )


@dataclass(frozen=True)
class Repeat:
    """Calls that run several times; with each turn their pointers move by their strides."""

    times: int
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Plan:
    """A planned layer.

    Attributes:
        variant: "unpacked", "loop", "bytes", "winograd4" ..., for people to read.
        kernels: The functions.
        calls: In order.
        constants: What streams and tables hold, as words; little-endian where they are bytes.
        scratch_bytes: Memory the layer needs while it runs, aligned to a word.
    """

    variant: str
    kernels: tuple[Kernel, ...]
    calls: tuple[Call | Repeat, ...]
    constants: tuple[int, ...]
    scratch_bytes: int = 0


def calls_of(plan: Plan) -> Iterator[Call]:
    """Every call of a plan in order, repeats unrolled."""
    for item in plan.calls:
        if isinstance(item, Call):
            yield item
        else:
            for turn in range(item.times):
                yield from (call.moved(0, 0, turn) for call in item.calls)


class HasCalls(Protocol):
    """What has calls: a plan, or one without its weights."""

    @property
    def calls(self) -> tuple[Call | Repeat, ...]:
        """In order."""
        ...


def repeated_calls(plan: HasCalls) -> Iterator[tuple[Call, int]]:
    """Every call as it is written, and how often it runs."""
    for item in plan.calls:
        if isinstance(item, Call):
            yield item, 1
        else:
            yield from ((call, item.times) for call in item.calls)


def with_copies(plan: Plan, copied: Collection[int], count: int) -> Plan:
    """Marks kernels that run as copies from RAM.

    Args:
        plan: A completed plan.
        copied: Which of its last kernels.
        count: How many kernels it had before it was completed: those that complete it come first.
    """
    first = len(plan.kernels) - count
    chosen = {first + number for number in copied}
    kernels = tuple(
        replace(kernel, copied=True) if number in chosen else kernel
        for number, kernel in enumerate(plan.kernels)
    )
    return replace(plan, kernels=kernels)


def with_wide_loads(plan: Plan) -> Plan:
    """The plan with 32-bit instructions where two constants are loaded, so that products stay on word boundaries."""
    kernels = (replace(kernel, steps=tuple(map(wide, kernel.steps))) for kernel in plan.kernels)
    return replace(plan, kernels=tuple(kernels))


def on_word_boundaries(plan: Plan, timing: Timing) -> Plan:
    """The plan for cores on which 32-bit instructions off word boundaries take longer; the same for others."""
    if not timing.aligns:
        return plan
    kernels = (replace(k, steps=aligned(k.steps, timing)) for k in with_wide_loads(plan).kernels)
    return replace(plan, kernels=tuple(kernels))


def joined(plans: Sequence[Plan], variant: str) -> Plan:
    """One plan that does the work of several, in order."""
    kernels: list[Kernel] = []
    calls: list[Call | Repeat] = []
    constants: list[int] = []
    for plan in plans:
        first, start = len(kernels), 4 * len(constants)
        for item in plan.calls:
            if isinstance(item, Call):
                calls.append(item.moved(first, start))
            else:
                calls.append(replace(item, calls=tuple(call.moved(first, start) for call in item.calls)))
        kernels += plan.kernels
        constants += plan.constants
    scratch = max((plan.scratch_bytes for plan in plans), default=0)
    return Plan(variant, tuple(kernels), tuple(calls), tuple(constants), scratch)
