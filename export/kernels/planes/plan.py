"""Plans a depthwise convolution over planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from export.kernels.direct.plan import ConvProblem, initial_sum, scaled_weights
from export.kernels.language.steps import WORD
from export.kernels.linear import Linear
from export.kernels.plan import Call, Kernel, Plan, Pointer, Repeat
from export.kernels.planes.gather import Gathering, gather_kernel
from export.kernels.planes.kernel import MOST_ROWS, TAPS, PlaneShape, plane_kernel, record

AXES = ("x", "y")


@dataclass(frozen=True)
class DepthwiseProblem:
    """A depthwise convolution of multiplier 1.

    Attributes:
        conv: Its numbers; weights are [channels, kernel y, kernel x, 1].
        pitch: Bytes from one row of inputs to the next, and from one pixel to the next.
        stride: Of the window, rows and columns.
        dilation: Likewise.
        planes: Where inputs lie in planes, the distance of each channel's from the first one's, in bytes; else None.
    """

    conv: ConvProblem
    pitch: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    planes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _Walk:
    """A problem seen along one axis of its image, whose rows become those of the planes.

    Attributes:
        rows: Of taps.
        length: Outputs of a row.
        count: Rows of outputs.
        stride: Along a row, and from row to row.
        dilation: Of rows of taps.
        in_x: Bytes of inputs from pixel to pixel of a row.
        in_y: Bytes from row to row.
        out_x: The same of outputs.
        out_y: Likewise.
    """

    rows: int
    length: int
    count: int
    stride: tuple[int, int]
    dilation: int
    in_x: int
    in_y: int
    out_x: int
    out_y: int

    @property
    def input_rows(self) -> int:
        """Rows of inputs."""
        return self.stride[1] * (self.count - 1) + self.dilation * (self.rows - 1) + 1


def plan_gathered(problem: DepthwiseProblem, axis: str) -> Plan | None:
    """Plans a layer whose inputs are pixels: some channels at a time become planes in scratch memory.

    Args:
        problem: The layer.
        axis: Of the image along which planes have their rows, one of `AXES`.

    Returns:
        The plan, or None where the kernels do not compute the layer.
    """
    walk = _walk(problem, axis)
    if walk is None:
        return None
    conv = problem.conv
    words = _shapes(conv, walk, 0)[0].words
    shapes = _shapes(conv, walk, WORD * words)
    gathering = Gathering(words, shapes[0].read, walk.input_rows, walk.in_x, walk.in_y, conv.widened)
    if not gathering.applies or not all(shape.applies for shape in shapes):
        return None
    builder = _Builder(conv, shapes, _taps(conv, axis))
    builder.kernels.append(gather_kernel(gathering))
    size = gathering.channels
    for first in range(0, len(shapes), size):
        channels = range(first, min(first + size, len(shapes)))
        offsets = [gathering.plane_bytes * place for place in range(len(channels))]
        calls = [
            Call(0, Pointer("in0", conv.source + WORD * (first // size)), Pointer("scratch", 0)),
            *builder.calls_of(channels, Pointer("scratch", 0), offsets),
        ]
        builder.add(calls)
    return builder.plan(size * gathering.plane_bytes)


def plan_planar(problem: DepthwiseProblem) -> Plan | None:
    """Plans a layer whose inputs are planes; None where the kernels do not compute it."""
    walk, conv = _walk(problem, "x"), problem.conv
    if walk is None or problem.planes is None or conv.source % WORD or walk.in_y % WORD:
        return None
    shapes = _shapes(conv, walk, walk.in_y)
    if not all(shape.applies for shape in shapes):
        return None
    builder = _Builder(conv, shapes, _taps(conv, "x"))
    builder.add(builder.calls_of(range(len(shapes)), Pointer("in0", conv.source), problem.planes))
    return builder.plan(0)


def _walk(problem: DepthwiseProblem, axis: str) -> _Walk | None:
    """The problem along an axis, or None where there are no such kernels."""
    geometry = problem.conv.geometry
    _, taps_y, taps_x, _ = problem.conv.weights.shape
    (pitch_y, pitch_x), (stride_y, stride_x), (dilation_y, dilation_x) = (
        problem.pitch,
        problem.stride,
        problem.dilation,
    )
    if axis == "x":
        taps, dilation = taps_x, dilation_x
        walk = _Walk(
            taps_y, geometry.columns, geometry.rows, (stride_x, stride_y), dilation_y,
            pitch_x, pitch_y, geometry.out_x, geometry.out_y,
        )  # fmt: skip
    else:
        taps, dilation = taps_y, dilation_y
        walk = _Walk(
            taps_x, geometry.rows, geometry.columns, (stride_y, stride_x), dilation_x,
            pitch_y, pitch_x, geometry.out_y, geometry.out_x,
        )  # fmt: skip
    if taps != TAPS or dilation != 1 or walk.rows > MOST_ROWS or walk.stride[0] > 2:
        return None
    return walk


def _taps(conv: ConvProblem, axis: str) -> list[list[list[int]]]:
    """Scaled weights [channels][rows of taps][3]."""
    weights = scaled_weights(conv, conv.each)[..., 0]
    found: list[list[list[int]]] = (weights if axis == "x" else weights.transpose(0, 2, 1)).tolist()
    return found


def _shapes(conv: ConvProblem, walk: _Walk, row: int) -> list[PlaneShape]:
    """The code that each channel takes, given the bytes of a row of a plane."""
    return [
        PlaneShape(
            rows=walk.rows,
            stride=walk.stride[0],
            length=walk.length,
            count=walk.count,
            tap=row * walk.dilation,
            step=row * walk.stride[1],
            out_x=walk.out_x,
            out_y=walk.out_y,
            element=conv.geometry.out_bytes,
            mode=entry.mode,
            shift=entry.shift,
            low=entry.low,
            high=entry.high,
        )
        for entry in conv.each
    ]


class _Builder:
    """Collects the calls of a layer, the kernels they need, and the records of its channels."""

    def __init__(self, conv: ConvProblem, shapes: Sequence[PlaneShape], taps: list[list[list[int]]]) -> None:
        self.kernels: list[Kernel] = []
        self._conv, self._shapes, self._taps = conv, shapes, taps
        self._numbers: dict[PlaneShape, int] = {}
        self._words: list[int] = []
        self._groups: list[tuple[Call, ...]] = []

    def calls_of(self, channels: Sequence[int], source: Pointer, offsets: Sequence[int]) -> list[Call]:
        """One call for each run of channels of the same code.

        Args:
            channels: Next to each other.
            source: From where their planes are counted.
            offsets: Of their planes.
        """
        calls = []
        places = dict(zip(channels, offsets, strict=True))
        for run in _runs(channels, self._shapes):
            shape, target = self._shapes[run[0]], self._conv.output_offsets[run[0]]
            start = WORD * len(self._words)
            for channel in run:
                entry = self._conv.each[channel]
                addend = 0 if isinstance(entry, Linear) else entry.addend
                self._words += record(
                    shape,
                    self._taps[channel],
                    (initial_sum(self._conv, channel, entry), entry.mult, addend),
                    (places[channel], self._conv.output_offsets[channel] - target),
                    more=channel != run[-1],
                )
            calls.append(
                Call(
                    self._kernel(shape),
                    source,
                    Pointer("out", self._conv.target + target),
                    Pointer("constants", start),
                    counts={"planes": len(run)},
                )
            )
        return calls

    def add(self, calls: Sequence[Call]) -> None:
        """Adds the calls of a group of channels."""
        self._groups.append(tuple(calls))

    def plan(self, scratch: int) -> Plan:
        """The plan; groups whose pointers move evenly are repeated."""
        calls: list[Call | Repeat] = []
        groups = self._groups
        while groups:
            strided = _strided(*groups[:2]) if len(groups) > 1 else None
            same = 1
            while strided and same < len(groups) and _still(strided, same) == groups[same]:
                same += 1
            if strided and same > 1:
                calls.append(Repeat(same, strided))
            else:
                calls += groups[0]
            groups = groups[same:]
        return Plan("planes", tuple(self.kernels), tuple(calls), tuple(self._words), scratch)

    def _kernel(self, shape: PlaneShape) -> int:
        if shape not in self._numbers:
            self._numbers[shape] = len(self.kernels)
            self.kernels.append(plane_kernel(shape))
        return self._numbers[shape]


def _runs(channels: Sequence[int], shapes: Sequence[PlaneShape]) -> list[list[int]]:
    """Channels next to each other of the same code."""
    runs: list[list[int]] = []
    for channel in channels:
        if runs and shapes[runs[-1][-1]] == shapes[channel]:
            runs[-1].append(channel)
        else:
            runs.append([channel])
    return runs


def _strided(first: tuple[Call, ...], second: tuple[Call, ...]) -> tuple[Call, ...] | None:
    """The first group's calls with the strides that lead to the second's, or None where there are no such strides."""
    if [(call.kernel, call.counts) for call in first] != [(call.kernel, call.counts) for call in second]:
        return None
    found = []
    for one, other in zip(first, second, strict=True):
        pointers = []
        for before, after in zip(one.pointers, other.pointers, strict=True):
            stride = 0 if before is None or after is None else after.offset - before.offset
            pointers.append(None if before is None else replace(before, stride=stride))
        source, stream, target, table = pointers
        assert source is not None and target is not None
        found.append(replace(one, source=source, stream=stream, target=target, table=table))
    return tuple(found)


def _still(calls: tuple[Call, ...], turns: int) -> tuple[Call, ...]:
    """What strided calls are in a turn."""

    def still(pointer: Pointer | None) -> Pointer | None:
        return None if pointer is None else replace(pointer, stride=0)

    found = []
    for call in calls:
        moved = call.moved(0, 0, turns)
        source, stream, target, table = map(still, moved.pointers)
        assert source is not None and target is not None
        found.append(replace(moved, source=source, stream=stream, target=target, table=table))
    return tuple(found)
