"""Board files: TOML that describes a microcontroller on its board, checked figure by figure.

name = "my-board"
core = "cortex-m4"
clock_hz = 168_000_000
source = "where the figures come from"

[flash]                  # `like = "stm32f405"` at the top takes what is not given from a listed board
origin = 0x08000000
bytes = 1_048_576
waits = 5                # of a read, at that clock; most_waits where documents give a range
width = 16               # bytes that a read gives
prefetch = "beside"      # the next line beside or behind the cache, or "none"
code_cache = {bytes = 1024, ways = 64, line = 16}
constant_cache = {bytes = 128, ways = 8, line = 16}      # or "code": both share that one

[[ram]]                  # each bank
name = "SRAM1"
origin = 0x20000000
bytes = 114_688
waits = 0                # left out where no document says
code_origin = 0x00000000 # where code runs from it without waits, over a bus that data do not take; left out for nowhere

[[placement]]            # what lies where, the fastest first
activations = ["SRAM1"]
stack = "SRAM1"
code = "SRAM2"           # where copies of hot kernels may go, left out for nowhere

[firmware]               # how keras-approx firmware starts it; left out if that is not needed
family = "f4"            # of the chip: f4, g4, h5, h7, l4 or u5
pll = {m = 8, n = 168, out = 2}     # clock after reset / m * n / out is clock_hz
uart = "USART1"          # at 115200 baud
pin = "PA9"              # where it sends, with the number of the alternate function
function = 7
latency = 5              # of the flash controller; left out where it is waits
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from export.errors import TargetError
from export.targets.cores import CORES
from export.targets.families import FAMILIES, Startup
from export.targets.memories import Bank, Cache, Flash, Prefetch

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,39}"
_NAME = re.compile(NAME_PATTERN)
_PIN = re.compile(r"P[A-K]([0-9]|1[0-5])")
_BANK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,23}")
_ADDRESSES = (0, 0xFFFFFFFF)
_SIZES = (64, 1 << 28)
_PREFETCH = {"none": Prefetch.NONE, "beside": Prefetch.BESIDE, "behind": Prefetch.BEHIND}


@dataclass(frozen=True)
class PlacementNames:
    """A placement by the names of its banks."""

    activations: tuple[str, ...]
    stack: str
    code: str | None


@dataclass(frozen=True)
class BoardFile:
    """What a board file says, checked."""

    name: str
    core: str
    clock_hz: int
    flash: Flash
    banks: tuple[Bank, ...]
    placements: tuple[PlacementNames, ...]
    source: str
    caveats: str
    startup: Startup | None


class _Table:
    """A table of the file: every key is read with the type expected there, and unknown ones are refused."""

    def __init__(self, where: str, values: Any) -> None:
        self._where = where
        if not isinstance(values, Mapping):
            raise TargetError(f"{where}: expected a table, got {values!r}")
        self._values = dict(values)

    def error(self, key: str, expected: str, came: object) -> TargetError:
        return TargetError(f"{self._where}: {key}: expected {expected}, got {came!r}")

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._values.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(key, f"a whole number from {low:,} to {high:,}", value)
        return value

    def optional(self, key: str, low: int, high: int) -> int | None:
        return self.number(key, low, high) if key in self._values else None

    def text(self, key: str, pattern: re.Pattern[str] | None = None, default: str | None = None) -> str:
        value = self._values.pop(key, default)
        if (
            not isinstance(value, str)
            or not value.isprintable()
            or (pattern and not pattern.fullmatch(value))
        ):
            raise self.error(
                key, f"text of the form {pattern.pattern}" if pattern else "a line of text", value
            )
        return value

    def choice(self, key: str, among: Iterable[str], default: str | None = None) -> str:
        value = self._values.pop(key, default)
        known = sorted(among)
        if value not in known:
            raise self.error(key, f"one of {', '.join(known)}", value)
        assert isinstance(value, str)
        return value

    def tables(self, key: str) -> list[_Table]:
        value = self._values.pop(key, None)
        if not isinstance(value, list) or not value:
            raise self.error(key, f"at least one [[{key}]]", value)
        return [_Table(f"{self._where}: {key} {number}", one) for number, one in enumerate(value, 1)]

    def table(self, key: str) -> _Table:
        return _Table(f"{self._where}: {key}", self._values.pop(key, None))

    def peek(self, key: str) -> Any:
        return self._values.get(key)

    def pop(self, key: str) -> Any:
        return self._values.pop(key, None)

    def done(self) -> None:
        if self._values:
            raise TargetError(
                f"{self._where}: unknown {', '.join(map(repr, sorted(map(str, self._values))))}; "
                "see export/targets/board_file.py for what a board file holds"
            )


def parse(text: str, where: str, listed: Callable[[str], Mapping[str, Any]] | None = None) -> BoardFile:
    """Reads and checks a board file.

    Args:
        text: Its content.
        where: What it is called in messages.
        listed: Gives the content of a listed board's file, for `like`; None where that is not allowed.

    Raises:
        TargetError: It is no TOML, a key is unknown or missing, or a figure is impossible: which, and what was
            expected.
    """
    content = load(text, where)
    if listed is not None and "like" in content:
        content = _merged(listed(_Table(where, content).text("like")), content)
        del content["like"]
    table = _Table(where, content)
    name = table.text("name", _NAME)
    core = table.choice("core", [core.name for core in CORES.values() if core.timing is not None])
    clock = table.number("clock_hz", 1_000, 2_000_000_000)
    flash = _flash(table.table("flash"))
    banks = tuple(_bank(entry) for entry in table.tables("ram"))
    _check_apart(where, flash, banks)
    placements = tuple(_placement(entry, banks) for entry in table.tables("placement"))
    source, caveats = table.text("source"), table.text("caveats", default="")
    startup = None if table.peek("firmware") is None else _startup(table.table("firmware"), flash)
    table.done()
    return BoardFile(name, core, clock, flash, banks, placements, source, caveats, startup)


def load(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        TargetError: It is none.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of whole numbers of thousands of digits
        raise TargetError(f"{where}: expected a board file in TOML, got: {error}") from error


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A listed board's file with what another one says itself; tables are merged, lists replaced."""
    merged = dict(base)
    for key, value in own.items():
        both = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        merged[key] = _merged(base[key], value) if both else value
    return merged


def _flash(table: _Table) -> Flash:
    origin = table.number("origin", *_ADDRESSES)
    size = table.number("bytes", *_SIZES)
    waits = table.number("waits", 0, 255)
    most = table.optional("most_waits", waits, 255)
    width = table.number("width", 4, 128)
    if width & (width - 1):
        raise table.error("width", "a power of two", width)
    prefetch = _PREFETCH[table.choice("prefetch", _PREFETCH)]
    code = _cache(table, "code_cache", width)
    shared = table.peek("constant_cache") == "code"
    if shared and code is None:
        raise table.error("constant_cache", "a table, since there is no code_cache to share", "code")
    constants = code if shared else _cache(table, "constant_cache", width)
    if shared:
        table.pop("constant_cache")
    table.done()
    return Flash(origin, size, waits, width, prefetch, code, constants, shared, most)


def _cache(table: _Table, key: str, width: int) -> Cache | None:
    if table.peek(key) is None:
        return None
    entry = table.table(key)
    size = entry.number("bytes", 1, 1 << 24)
    line = entry.number("line", width, 1024)
    ways = entry.number("ways", 1, 4096)
    if line % width or line // width > 32:
        raise entry.error("line", f"a multiple of the flash's width, {width}, at most 32 times it", line)
    if size % (line * ways):
        raise entry.error("bytes", f"a multiple of line x ways = {line * ways:,}", size)
    entry.done()
    return Cache(size, ways, line)


def _bank(table: _Table) -> Bank:
    bank = Bank(
        name=table.text("name", _BANK_NAME),
        origin=table.number("origin", *_ADDRESSES),
        size=table.number("bytes", *_SIZES),
        waits=table.optional("waits", 0, 255),
        code_origin=table.optional("code_origin", *_ADDRESSES),
    )
    for key, first in (("origin", bank.origin), ("code_origin", bank.code_origin)):
        if first is not None and (first % 4 or first + bank.size > 1 << 32):
            raise table.error(key, "a word-aligned address with room for the bank behind it", hex(first))
    table.done()
    return bank


def _check_apart(where: str, flash: Flash, banks: Iterable[Bank]) -> None:
    """No two memories lie at the same address, and no two banks have the same name."""
    places = [("flash", flash.origin, flash.size)]
    for bank in banks:
        own = {first for first in (bank.origin, bank.code_origin) if first is not None}
        places += [(bank.name, first, bank.size) for first in sorted(own)]
    for (one, start, size), (other, begin, extent) in combinations(places, 2):
        if start < begin + extent and begin < start + size:
            raise TargetError(
                f"{where}: expected memories apart from each other, got {one} at {start:#010x} and {other} at "
                f"{begin:#010x}, {size:,} and {extent:,} bytes; correct their origin or bytes"
            )
    names = [bank.name for bank in banks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TargetError(
            f"{where}: expected each bank of RAM once, got {', '.join(twice)} twice; rename one"
        )


def _placement(table: _Table, banks: Iterable[Bank]) -> PlacementNames:
    known = {bank.name: bank for bank in banks}
    wanted = table.pop("activations")
    listed = isinstance(wanted, list) and wanted and all(isinstance(name, str) for name in wanted)
    if not listed or not set(wanted) <= known.keys():
        raise table.error("activations", f"a list of banks, of {', '.join(sorted(known))}", wanted)
    chosen = [known[name] for name in wanted]
    for before, after in pairwise(chosen):
        if before.origin + before.size != after.origin:
            raise table.error(
                "activations",
                f"banks next to each other, the lowest first: {before.name} ends at "
                f"{before.origin + before.size:#010x}, {after.name} starts at {after.origin:#010x}",
                wanted,
            )
    stack = table.choice("stack", known)
    code = table.choice("code", known) if table.peek("code") is not None else None
    if code is not None and known[code].code_origin is None:
        raise table.error("code", "a bank with a code_origin", code)
    if code in (*wanted, stack):
        raise table.error(
            "code",
            "a bank without activations or stack, as no document tells how either waits for the other",
            code,
        )
    table.done()
    return PlacementNames(tuple(wanted), stack, code)


def _startup(table: _Table, flash: Flash) -> Startup:
    family = table.choice("family", FAMILIES)
    pll = table.table("pll")
    m, n = pll.number("m", 1, 63), pll.number("n", 4, 512)
    out = pll.number("out", 1, 8)
    if out not in FAMILIES[family].outs:
        raise pll.error("out", f"one of {', '.join(map(str, FAMILIES[family].outs))}", out)
    pll.done()
    pin = table.text("pin", _PIN)
    startup = Startup(
        family=family,
        m=m,
        n=n,
        out=out,
        latency=table.number("latency", 0, 15, flash.waits),
        uart=table.choice("uart", FAMILIES[family].uarts),
        port=pin[1],
        pin=int(pin[2:]),
        function=table.number("function", 0, 15),
    )
    table.done()
    return startup
