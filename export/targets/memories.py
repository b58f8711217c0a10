"""What stands between a core and its memories, as data: flash with its lines, prefetch and caches, and banks of RAM.

The model knows what the reference manuals say and no more. A read of the flash gives a line of `width` bytes after
`waits` cycles; there is one port, so reads stand in line, and a read that the program needs now goes before a
prefetch. Where the manuals leave open what happens, each `Reading` is modeled and figures are a range.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import NamedTuple

STACK_BYTES = 1024  # kept free for the stack, of which networks take up to 300 bytes


class Span(NamedTuple):
    """A figure for which the documents give only a range."""

    low: float
    high: float

    def __format__(self, form: str) -> str:
        """The least and the most; one figure if they print the same."""
        form = form or ",.0f"
        low, high = f"{self.low:{form}}", f"{self.high:{form}}"
        return low if low == high else f"{low} to {high}"

    def __str__(self) -> str:
        return f"{self}"

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


class Prefetch(Enum):
    """Which line the flash controller reads ahead."""

    NONE = "none"
    BESIDE = "beside the cache"
    """The one behind the line that is being executed, wherever that came from, unless the cache holds it (ART
    accelerator: RM0090 3.5.2, RM0440 3.3.5, RM0432 3.3.4).
    """
    BEHIND = "behind the cache"
    """The one behind the line that the cache asked for, so that code that runs in the cache reads nothing ahead (ICACHE
    on the C-bus: RM0456, RM0481 and RM0522, flash memory read operations).
    """


@dataclass(frozen=True)
class Cache:
    """Lines kept near the core; the least recently used of a set is replaced, as the tree of a 2-way pLRU does too.

    Attributes:
        size: Bytes.
        ways: Lines a set; `size // line` for a fully associative cache.
        line: Bytes that are looked up together; filled by reads of the flash, which may be shorter.
    """

    size: int
    ways: int
    line: int

    @property
    def sets(self) -> int:
        return self.size // self.line // self.ways


@dataclass(frozen=True)
class Reading:
    """One way to read what the documents leave open.

    Attributes:
        absorbs: Whether a prefetched line enters the cache although no fetch waited for it. The manuals copy a line
            "each time a miss occurs".
        aborts: Whether a read that is needed now ends a prefetch under way, which starts again afterwards, or waits
            for its end. The manuals give such reads priority.
        constants_ahead: Whether the line behind one of constants is read ahead like that behind one of code. The
            manuals speak of instruction lines, but the cache serves both in the same way.
        waits: Cycles of a read beside its own.
    """

    absorbs: bool
    aborts: bool
    constants_ahead: bool
    waits: int


@dataclass(frozen=True)
class Flash:
    """The flash and what stands before it.

    Attributes:
        origin: First address.
        size: Bytes.
        waits: Cycles a read takes beside its own, at the board's clock.
        most_waits: The same where documents give no more than a range, else None.
        width: Bytes that one read gives.
        prefetch: Which line is read ahead.
        code: The cache of instructions, or None.
        constants: The cache of what the program loads, or None; `code` itself where both share one.
    """

    origin: int
    size: int
    waits: int
    width: int
    prefetch: Prefetch
    code: Cache | None
    constants: Cache | None
    shared: bool = False
    most_waits: int | None = None

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Every reading of the documents, none twice."""
        waits = (self.waits,) if self.most_waits is None else (self.waits, self.most_waits)
        ahead = self.prefetch is not Prefetch.NONE
        open_absorbs = (False, True) if self.prefetch is Prefetch.BESIDE and self.code else (True,)
        open_aborts = (False, True) if ahead else (True,)
        open_constants = (False, True) if self.prefetch is Prefetch.BEHIND and self.shared else (False,)
        return tuple(Reading(*one) for one in product(open_absorbs, open_aborts, open_constants, waits))


@dataclass(frozen=True)
class Bank:
    """A bank of RAM.

    Attributes:
        name: As the reference manual calls it.
        origin: First address of data in it.
        size: Bytes.
        waits: Cycles an access waits beside its own; None where no document says.
        code_origin: Where code runs from it without waits, over a bus that data do not take; None where it cannot.
    """

    name: str
    origin: int
    size: int
    waits: int | None
    code_origin: int | None = None


@dataclass(frozen=True)
class Placement:
    """What lies in which banks.

    Attributes:
        activations: Adjacent banks that hold the arena and other data.
        stack: The bank that holds the stack: its upper end if it is one of `activations`.
        code: The bank, another one, that copies of hot kernels may be put into, or None.
    """

    activations: tuple[Bank, ...]
    stack: Bank
    code: Bank | None

    @property
    def origin(self) -> int:
        """First address of data."""
        return self.activations[0].origin

    @property
    def size(self) -> int:
        """Bytes of its adjacent banks."""
        return sum(bank.size for bank in self.activations)

    @property
    def data_bytes(self) -> int:
        """The most that data can take beside the stack, if that lies there too."""
        return self.size - STACK_BYTES * (self.stack in self.activations)

    def holds(self, data_bytes: int) -> bool:
        """Whether so much data fits."""
        return data_bytes <= self.data_bytes

    @property
    def stack_apart(self) -> bool:
        """Whether the stack lies in another bank than the arena's beginning."""
        return self.stack != self.activations[0]

    @property
    def waits(self) -> int | None:
        """Cycles that accesses to data wait; None if no document says."""
        found = [bank.waits for bank in (*self.activations, self.stack)]
        return None if None in found else max(waits for waits in found if waits is not None)
