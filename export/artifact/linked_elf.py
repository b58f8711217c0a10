"""A linked network: its bytes in flash and RAM, by layer."""

from __future__ import annotations

import io
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from elftools.elf.elffile import ELFFile

from export.artifact.manifest import Manifest
from export.errors import ToolError
from export.targets import Core

_WRITABLE, _ALLOCATED, _EXECUTABLE = 1, 2, 4  # SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR


@dataclass(frozen=True)
class Segment:
    """Bytes of the image at the address where the program finds them; in RAM if they are writable, else in flash.

    Sections of code are executable, and so are sections of data that hold code: kernels that start-up code copies to
    RAM.
    """

    address: int
    data: bytes
    executable: bool
    writable: bool


@dataclass(frozen=True)
class Symbol:
    address: int
    name: str


@dataclass(frozen=True)
class LinkedElf:
    """A network linked for a core.

    Attributes:
        manifest: Of the export it was built from.
        core: What it was compiled for.
        elf: The linked file.
    """

    manifest: Manifest
    core: Core
    elf: bytes = field(repr=False)

    @cached_property
    def flash_bytes(self) -> int:
        """Code, constants and initial values of data."""
        return sum(len(segment.data) for segment in self.segments)

    @cached_property
    def ram_bytes(self) -> int:
        """Data, zeroed data and the arena; without the stack."""
        return sum(size for _, size in self.ram_ranges)

    @cached_property
    def ram_ranges(self) -> tuple[tuple[int, int], ...]:
        """First address and bytes of what lies in RAM."""
        return tuple(
            (section["sh_addr"], section["sh_size"])
            for section in self._sections
            if section["sh_flags"] & _ALLOCATED and section["sh_flags"] & _WRITABLE and section["sh_size"]
        )

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """What must be loaded."""
        return tuple(
            Segment(
                section["sh_addr"],
                section.data(),
                executable=bool(section["sh_flags"] & _EXECUTABLE) or number in self._sections_with_code,
                writable=bool(section["sh_flags"] & _WRITABLE),
            )
            for number, section in enumerate(self._sections)
            if section["sh_flags"] & _ALLOCATED and section["sh_type"] != "SHT_NOBITS" and section["sh_size"]
        )

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """Functions, constants and labels by address; a function's address is without its Thumb bit."""
        found = [
            Symbol(entry["st_value"] & ~(entry["st_info"]["type"] == "STT_FUNC"), entry.name)
            for entry in self._symbol_entries
            if not entry.name.startswith("$")
        ]
        return tuple(sorted(found, key=lambda symbol: symbol.address))

    @cached_property
    def code_ranges(self) -> tuple[tuple[int, int], ...]:
        """Address ranges [start, end) that hold instructions and not literals, from the mapping symbols."""
        marks = sorted(
            (entry["st_value"], entry.name[:2])
            for entry in self._symbol_entries
            if entry.name[:2] in ("$t", "$d")
        )
        ranges = []
        for segment in self.segments:
            end = segment.address + len(segment.data)
            inside = [mark for mark in marks if segment.address <= mark[0] < end]
            for (start, kind), (stop, _) in zip(inside, [*inside[1:], (end, "")], strict=True):
                if segment.executable and kind == "$t" and stop > start:
                    ranges.append((start, stop))
        return tuple(ranges)

    @cached_property
    def flash_by_layer(self) -> dict[int | None, int]:
        """Flash bytes by layer index; None for what no layer owns (runtime, library)."""
        sizes: dict[int | None, int] = {None: 0}
        addresses = self._symbol_addresses
        for segment in self.segments:
            end = segment.address + len(segment.data)
            first, last = bisect_right(addresses, segment.address - 1), bisect_right(addresses, end - 1)
            cuts = [segment.address, *addresses[first:last], end]
            for start, stop in pairwise(cuts):
                layer = self.layer_at(start)
                sizes[layer] = sizes.get(layer, 0) + stop - start
        return sizes

    def symbol_at(self, address: int) -> str:
        """Returns the name of the last symbol at or before an address in the same segment, "" if there is
        none.
        """
        position = bisect_right(self._symbol_addresses, address) - 1
        if position < 0:
            return ""
        symbol = self.symbols[position]
        for segment in self.segments:
            if segment.address <= address < segment.address + len(segment.data):
                return symbol.name if symbol.address >= segment.address else ""
        return ""

    def layer_at(self, address: int) -> int | None:
        """Returns the index of the layer that owns the byte at an address."""
        return self.manifest.layer_of(self.symbol_at(address))

    def word_at(self, address: int) -> int | None:
        """Returns the 32-bit constant in flash at an address, None outside."""
        for segment in self.segments:
            offset = address - segment.address
            if 0 <= offset <= len(segment.data) - 4:
                return int.from_bytes(segment.data[offset : offset + 4], "little")
        return None

    def address_of(self, name: str) -> int:
        """Returns a symbol's address, without the Thumb bit."""
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.address
        raise ToolError(f"the linked image has no symbol {name!r}; expected the export to define it")

    @cached_property
    def _symbol_addresses(self) -> list[int]:
        return [symbol.address for symbol in self.symbols]

    @cached_property
    def _file(self) -> ELFFile:
        return ELFFile(io.BytesIO(self.elf))

    @cached_property
    def _sections(self) -> list[Any]:
        return list(self._file.iter_sections())

    @cached_property
    def _sections_with_code(self) -> set[int]:
        """Numbers of the sections in which a mapping symbol says that instructions begin."""
        return {entry["st_shndx"] for entry in self._symbol_entries if entry.name[:2] == "$t"}

    @cached_property
    def _symbol_entries(self) -> list[Any]:
        table = self._file.get_section_by_name(".symtab")
        return [
            entry
            for entry in table.iter_symbols()
            if entry.name
            and entry["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE")
            and isinstance(entry["st_shndx"], int)
        ]
