"""How an output image is cut into tiles, and where their transformed values lie.

Tiles at the right and at the bottom may reach beyond the image. The last point of a direction serves only the last
output of a tile, so such tiles leave it out. Tiles are ordered so that each group of points works on a run of tiles
next to each other: those of the last row, those inside, those of the last column, the corner.

Scratch memory holds blocks of two tiles. For each point a block has the transformed inputs, a word of two channels for
either tile, pair after pair, and behind them the sums of four output channels for either tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from export.kernels.winograd.algorithm import Algorithm

CHANNELS = 4  # output channels of a block, and
TILES = 2  # tiles of a block: their sums fill eight registers
WORD = 4
SUM_BYTES = CHANNELS * TILES * WORD
PAIR_BYTES = TILES * WORD

Point = tuple[int, int]


@dataclass(frozen=True)
class Group:
    """Points that the same tiles need.

    Attributes:
        first: slot of the first one.
        count: how many.
        rows: whether tiles of the last row need them.
        columns: whether tiles of the last column do.
    """

    first: int
    count: int
    rows: bool
    columns: bool


@dataclass(frozen=True)
class Kind:
    """Tiles of one shape.

    Attributes:
        rows: outputs inside the image, down.
        columns: likewise, across.
        tiles: (row, column) of each, in tiles.
    """

    rows: int
    columns: int
    tiles: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Strip:
    """Some rows of tiles that are computed before the next ones take their memory.

    Attributes:
        first: row of its first tiles.
        rows: rows of tiles.
        kinds: its tiles in the order of their blocks.
    """

    first: int
    rows: int
    kinds: tuple[Kind, ...]

    @cached_property
    def order(self) -> tuple[tuple[int, int], ...]:
        """All tiles."""
        return tuple(tile for kind in self.kinds for tile in kind.tiles)


@dataclass(frozen=True)
class Tiling:
    """The tiles of a layer.

    Attributes:
        algorithm: which one.
        rows: of the output image, before a pool.
        columns: likewise.
        pairs: of input channels.
        strip_rows: rows of tiles in a strip.
    """

    algorithm: Algorithm
    rows: int
    columns: int
    pairs: int
    strip_rows: int

    @property
    def down(self) -> int:
        """Rows of tiles."""
        return -(-self.rows // self.algorithm.outputs)

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.columns // self.algorithm.outputs)

    @property
    def last_rows(self) -> int:
        """Outputs of a tile of the last row inside the image, down."""
        return self.rows - (self.down - 1) * self.algorithm.outputs

    @property
    def last_columns(self) -> int:
        """Outputs of a tile of the last column inside the image, across."""
        return self.columns - (self.across - 1) * self.algorithm.outputs

    def tile_rows(self, row: int) -> int:
        """Outputs of the tiles of a row that lie inside the image, down."""
        return self.last_rows if row == self.down - 1 else self.algorithm.outputs

    @cached_property
    def slots(self) -> dict[Point, int]:
        """The place of each point in a block, those of a group next to each other."""
        size = self.algorithm.points
        points = [(i, j) for i in range(size) for j in range(size)]
        points.sort(key=self._group_of)
        return {point: slot for slot, point in enumerate(points)}

    def _group_of(self, point: Point) -> int:
        last = self.algorithm.points - 1
        down = self.last_rows < self.algorithm.outputs and point[0] == last
        across = self.last_columns < self.algorithm.outputs and point[1] == last
        return 2 * down + across

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Groups of points, in the order of their slots."""
        numbers = [self._group_of(point) for point in self.slots]
        found = []
        for number in sorted(set(numbers)):
            found.append(Group(numbers.index(number), numbers.count(number), number < 2, number % 2 == 0))
        return tuple(found)

    @property
    def slot_bytes(self) -> int:
        """Of a point in a block."""
        return self.pairs * PAIR_BYTES + SUM_BYTES

    @property
    def block_bytes(self) -> int:
        """Of a block: such that one instruction goes from a point of a block to the same one of the next."""
        size = self.algorithm.points**2 * self.slot_bytes
        while not is_modified_immediate(size - self.slot_bytes):
            size += WORD
        return size

    @cached_property
    def strips(self) -> tuple[Strip, ...]:
        """The strips, from top to bottom."""
        starts = range(0, self.down, self.strip_rows)
        return tuple(self._strip(start, min(self.strip_rows, self.down - start)) for start in starts)

    def _strip(self, first: int, rows: int) -> Strip:
        whole = self.algorithm.outputs
        cut_down, cut_across = self.last_rows < whole, self.last_columns < whole
        kinds: dict[tuple[bool, bool], list[tuple[int, int]]] = {}
        for y in range(first, first + rows):
            for x in range(self.across):
                kind = (cut_down and y == self.down - 1, cut_across and x == self.across - 1)
                kinds.setdefault(kind, []).append((y, x))
        order = ((True, False), (False, False), (False, True), (True, True))
        return Strip(
            first,
            rows,
            tuple(
                Kind(
                    self.last_rows if kind[0] else whole,
                    self.last_columns if kind[1] else whole,
                    tuple(kinds[kind]),
                )
                for kind in order
                if kind in kinds
            ),
        )

    def range_of(self, strip: Strip, group: Group) -> tuple[int, int]:
        """The tiles, in the order of their blocks, that need a group's points: first, and one past the last."""
        whole = self.algorithm.outputs
        needed = [
            (group.rows or kind.rows == whole) and (group.columns or kind.columns == whole)
            for kind in strip.kinds
            for _ in kind.tiles
        ]
        if not any(needed):
            return 0, 0
        return needed.index(True), len(needed) - needed[::-1].index(True)

    @property
    def blocks(self) -> int:
        """Blocks that the largest strip takes."""
        return max(-(-len(strip.order) // TILES) for strip in self.strips)

    def inputs_across(self) -> int:
        """Columns of inputs that a row of tiles reads."""
        return self.columns + 2

    def place(self, number: int) -> int:
        """Byte offset of a tile's first word in scratch memory, by its place in the order of blocks."""
        return number // TILES * self.block_bytes + number % TILES * WORD


def is_modified_immediate(value: int) -> bool:
    """Whether Thumb-2 can add a number with one instruction of 32 bits: eight bits anywhere in a word."""
    return value < 256 or value >> (value.bit_length() - 8) << (value.bit_length() - 8) == value


def strip_heights(down: int) -> Iterator[int]:
    """Heights of strips worth trying, the tallest first: each number of strips with the least height."""
    last = 0
    for count in range(1, down + 1):
        height = -(-down // count)
        if height != last:
            yield height
        last = height
