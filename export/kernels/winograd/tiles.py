"""How an output image is cut into tiles, and where their transformed values lie.

Tiles at the right and at the bottom may reach beyond the image. The last point of a direction serves only the last
output of a tile, so such tiles leave it out. Tiles are ordered so that each group of points works on a run of tiles
next to each other: those of the last row, those inside, those of the last column, the corner.

Scratch memory holds blocks of two tiles. For each point a block has a slot: the transformed inputs, a word of two
channels for either tile, pair after pair and component after component, and behind them the sums of four output
channels for either tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from export.kernels.language.steps import WORD
from export.kernels.winograd.algorithm import Algorithm

CHANNELS = 4  # output channels of a block, and
TILES = 2  # tiles of a block: their sums fill eight registers
SUM_BYTES = CHANNELS * TILES * WORD
PAIR_BYTES = TILES * WORD

_PADDING = 32  # a block may grow by one part in so many

Point = tuple[int, int]


@dataclass(frozen=True)
class Group:
    """Points of one depth that the same tiles need.

    Attributes:
        points: In the order of their slots.
        components: That are added at each.
        depth: Pairs of input channels that are added at each: of all components.
        offset: Bytes from the start of a block to the first slot.
        before: Components of the points before them.
        rows: Whether tiles of the last row need them.
        columns: Whether tiles of the last column do.
    """

    points: tuple[Point, ...]
    components: int
    depth: int
    offset: int
    before: int
    rows: bool
    columns: bool

    @property
    def slot_bytes(self) -> int:
        """Bytes of a point in a block."""
        return self.depth * PAIR_BYTES + SUM_BYTES

    @property
    def panel_words(self) -> int:
        """Constants of four output channels at one point."""
        return CHANNELS * self.depth

    def slot(self, point: Point) -> int:
        """Byte offset of a point's inputs in a block."""
        return self.offset + self.points.index(point) * self.slot_bytes


@dataclass(frozen=True)
class Kind:
    """Tiles of one shape.

    Attributes:
        rows: Outputs inside the image, down.
        columns: Likewise, across.
        tiles: (row, column) of each, in tiles.
    """

    rows: int
    columns: int
    tiles: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Strip:
    """Some rows of tiles that are computed before the next ones take their memory.

    Attributes:
        first: Row of its first tiles.
        rows: Rows of tiles.
        kinds: Its tiles in the order of their blocks.
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
        algorithm: Which one.
        rows: Of the output image, before a pool.
        columns: Likewise.
        pairs: Of input channels.
        strip_rows: Rows of tiles in a strip.
    """

    algorithm: Algorithm
    rows: int
    columns: int
    pairs: int
    strip_rows: int

    @property
    def down(self) -> int:
        """Rows of tiles."""
        return -(-self.rows // self.algorithm.down.outputs)

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.columns // self.algorithm.across.outputs)

    @property
    def last_rows(self) -> int:
        """Outputs of a tile of the last row inside the image, down."""
        return self.rows - (self.down - 1) * self.algorithm.down.outputs

    @property
    def last_columns(self) -> int:
        """Outputs of a tile of the last column inside the image, across."""
        return self.columns - (self.across - 1) * self.algorithm.across.outputs

    @property
    def cut(self) -> tuple[bool, bool]:
        """Whether tiles of the last row, and those of the last column, reach beyond the image."""
        down, across = self.algorithm.down.outputs, self.algorithm.across.outputs
        return self.last_rows < down, self.last_columns < across

    def tile_rows(self, row: int) -> int:
        """Outputs of the tiles of a row that lie inside the image, down."""
        return self.last_rows if row == self.down - 1 else self.algorithm.down.outputs

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Points that are computed together, in the order of their slots."""
        down, across = self.algorithm.down.points, self.algorithm.across.points
        members: dict[tuple[bool, bool, int], list[Point]] = {}
        for i in range(down):
            for j in range(across):
                left_out = self.cut[0] and i == down - 1, self.cut[1] and j == across - 1
                members.setdefault((*left_out, -self.algorithm.depth((i, j))), []).append((i, j))
        found: list[Group] = []
        offset = before = 0
        for (no_rows, no_columns, fewest), points in sorted(members.items()):
            count = -fewest
            group = Group(
                tuple(points), count, count * self.pairs, offset, before, not no_rows, not no_columns
            )
            found.append(group)
            offset += len(points) * group.slot_bytes
            before += len(points) * count
        return tuple(found)

    @cached_property
    def group_of(self) -> dict[Point, Group]:
        """The group of each point."""
        return {point: group for group in self.groups for point in group.points}

    @property
    def components(self) -> int:
        """Components of all points."""
        return sum(len(group.points) * group.components for group in self.groups)

    def input_slot(self, point: Point, component: int) -> int:
        """Byte offset in a block of the first pair of input channels of a component."""
        return self.group_of[point].slot(point) + component * self.pairs * PAIR_BYTES

    def sums_slot(self, point: Point) -> int:
        """Byte offset in a block of a point's sums."""
        group = self.group_of[point]
        return group.slot(point) + group.depth * PAIR_BYTES

    @cached_property
    def block_bytes(self) -> int:
        """Bytes of a block, padded where that is cheap, so that one instruction reaches the point of the next block."""
        size = sum(len(group.points) * group.slot_bytes for group in self.groups)
        for padded in range(size, size + size // _PADDING + 1, WORD):
            if all(is_modified_immediate(padded - group.slot_bytes) for group in self.groups):
                return padded
        return size

    @cached_property
    def strips(self) -> tuple[Strip, ...]:
        """The strips, from top to bottom."""
        starts = range(0, self.down, self.strip_rows)
        return tuple(self._strip(start, min(self.strip_rows, self.down - start)) for start in starts)

    def _strip(self, first: int, rows: int) -> Strip:
        cut_down, cut_across = self.cut
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
                    self.last_rows if kind[0] else self.algorithm.down.outputs,
                    self.last_columns if kind[1] else self.algorithm.across.outputs,
                    tuple(kinds[kind]),
                )
                for kind in order
                if kind in kinds
            ),
        )

    def range_of(self, strip: Strip, group: Group) -> tuple[int, int]:
        """The tiles, in the order of their blocks, that need a group's points: first, and one past the last."""
        down, across = self.algorithm.down.outputs, self.algorithm.across.outputs
        needed = [
            (group.rows or kind.rows == down) and (group.columns or kind.columns == across)
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

    @property
    def inputs_across(self) -> int:
        """Columns of inputs that a row of tiles reads."""
        return self.algorithm.across.inputs_of(self.columns)

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
