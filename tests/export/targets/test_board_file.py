"""Board files: what is read, and what is refused with what was expected and what came."""

import re

import pytest

from export.errors import TargetError
from export.targets import Cache, Prefetch
from export.targets.board_file import load, parse

GOOD = """
name = "my-board"
core = "cortex-m4"
clock_hz = 168_000_000
source = "its reference manual"
[flash]
origin = 0x08000000
bytes = 0x100000
waits = 5
width = 16
prefetch = "beside"
code_cache = {bytes = 1024, ways = 64, line = 16}
[[ram]]
name = "SRAM1"
origin = 0x20000000
bytes = 0x10000
waits = 0
[[ram]]
name = "SRAM2"
origin = 0x20010000
bytes = 0x4000
[[ram]]
name = "CCM"
origin = 0x20018000
code_origin = 0x10000000
bytes = 0x4000
[[placement]]
activations = ["SRAM1", "SRAM2"]
stack = "SRAM2"
code = "CCM"
"""


def test_what_a_file_says_is_read():
    board = parse(GOOD, "board.toml")
    assert (board.name, board.core, board.clock_hz, board.caveats) == (
        "my-board",
        "cortex-m4",
        168_000_000,
        "",
    )
    assert (board.flash.waits, board.flash.most_waits, board.flash.prefetch) == (5, None, Prefetch.BESIDE)
    assert (board.flash.code, board.flash.constants) == (Cache(1024, 64, 16), None)
    first, second, third = board.banks
    assert (first.waits, first.code_origin, second.waits) == (0, None, None)
    assert (third.origin, third.code_origin) == (0x20018000, 0x10000000)
    (placement,) = board.placements
    assert (placement.activations, placement.stack, placement.code) == (("SRAM1", "SRAM2"), "SRAM2", "CCM")


def test_both_kinds_may_share_a_cache():
    board = parse(GOOD.replace("[[ram]]", 'constant_cache = "code"\n[[ram]]', 1), "board.toml")
    assert board.flash.shared
    assert board.flash.constants == board.flash.code


def test_like_takes_what_is_not_given():
    listed = {"my-board": load(GOOD, "listed")}
    board = parse('like = "my-board"\nname = "slower"\n[flash]\nwaits = 7\n', "mine.toml", listed.__getitem__)
    assert (board.name, board.flash.waits, board.flash.size, len(board.banks)) == ("slower", 7, 0x100000, 3)
    with pytest.raises(TargetError, match="unknown 'like'"):
        parse('like = "my-board"\n' + GOOD, "listed.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "clock_hz = 168_000_000",
            "clock_hz = -5",
            "clock_hz: expected a whole number from 1,000 to 2,000,000,000, got -5",
        ),
        ("clock_hz = 168_000_000", "clock_hz = 1.68e8", "clock_hz: expected a whole number"),
        ("clock_hz = 168_000_000", "clock_hz = true", "clock_hz: expected a whole number"),
        ("clock_hz = 168_000_000", "", "clock_hz: expected a whole number .* got None"),
        ('name = "my-board"', 'name = "My Board"', "name: expected text of the form"),
        ('name = "my-board"', 'name = "../x"', "name: expected text of the form"),
        ("cortex-m4", "cortex-m99", "core: expected one of cortex-m0plus, .*, got 'cortex-m99'"),
        ("cortex-m4", "host", "core: expected one of"),
        ("waits = 5", "waits = 300", "flash: waits: expected a whole number from 0 to 255"),
        (
            "waits = 5",
            "waits = 5\nmost_waits = 4",
            "most_waits: expected a whole number from 5 to 255, got 4",
        ),
        ("width = 16", "width = 12", "width: expected a power of two, got 12"),
        ("beside", "always", "prefetch: expected one of behind, beside, none, got 'always'"),
        ("ways = 64", "ways = 48", "code_cache: bytes: expected a multiple of line x ways = 768, got 1024"),
        ("line = 16", "line = 24", "line: expected a multiple of the flash's width, 16"),
        ("[[ram]]", 'constant_cache = "codes"\n[[ram]]', "constant_cache: expected a table, got 'codes'"),
        (
            "0x20000000",
            "0x08000000",
            "memories apart from each other, got flash at 0x08000000 and SRAM1 at 0x08000000",
        ),
        ("0x20010000", "0x2000C000", "memories apart from each other, got SRAM1"),
        ("code_origin = 0x10000000", "code_origin = 0x20010000", "memories apart from each other, got SRAM2"),
        ("0x20000000", "0x20000002", "origin: expected a word-aligned address"),
        ("0x20000000", "0xFFFFF000", "origin: expected a word-aligned address with room"),
        ('"SRAM2"\norigin', '"SRAM1"\norigin', "each bank of RAM once, got SRAM1 twice"),
        (
            '["SRAM1", "SRAM2"]',
            '["SRAM1", "SRAM9"]',
            "activations: expected a list of banks, of CCM, SRAM1, SRAM2",
        ),
        (
            '["SRAM1", "SRAM2"]',
            '["SRAM2", "SRAM1"]',
            "banks next to each other, the lowest first: SRAM2 ends at",
        ),
        ('["SRAM1", "SRAM2"]', "[]", "activations: expected a list of banks"),
        ('["SRAM1", "SRAM2"]', '[["SRAM1"]]', "activations: expected a list of banks"),
        ('stack = "SRAM2"', 'stack = "SRAM9"', "stack: expected one of CCM, SRAM1, SRAM2, got 'SRAM9'"),
        ('code = "CCM"', 'code = "SRAM1"', "code: expected a bank with a code_origin, got 'SRAM1'"),
        (
            'stack = "SRAM2"',
            'stack = "CCM"',
            "code: expected a bank without activations or stack, .* got 'CCM'",
        ),
        ('source = "its', 'colour = 3\nsource = "its', "unknown 'colour'"),
        ("[[placement]]", "[placement]", "placement: expected at least one"),
        ("waits = 5", "waits = ", "expected a board file in TOML"),
    ],
)
def test_impossible_figures_are_refused(old, new, message):
    assert old in GOOD
    with pytest.raises(TargetError, match=r"board\.toml.*" + message) as refused:
        parse(GOOD.replace(old, new, 1), "board.toml")
    assert re.match(r"board\.toml", str(refused.value))


@pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 30_000])
def test_what_no_parser_takes_is_refused(text):
    with pytest.raises(TargetError, match="expected a board file in TOML"):
        load(text, "mine.toml")
