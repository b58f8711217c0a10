"""A small network for each operator and each way in which it comes, as functions of a builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.export.model_builder import ModelBuilder, Value
from tests.export.networks import Layers

Recipe = Callable[["Bench"], Value | Sequence[Value]]


class Bench:
    """Makes operators with an int8 image, a sequence and a vector to read.

    Attributes:
        builder: the model.
        x: [1, 6, 5, 4].
        s: [1, 7, 6], a sequence.
        v: [1, 8], a vector.
    """

    def __init__(self, seed: int = 0) -> None:
        self.layers = Layers(np.random.default_rng(seed))
        self.builder: ModelBuilder = self.layers.builder
        self.rng = np.random.default_rng(seed + 1)
        self.x = self.builder.tensor((1, 6, 5, 4), 0.05, 3, name="image")
        self.s = self.builder.tensor((1, 7, 6), 0.03, -9, name="sequence")
        self.v = self.builder.tensor((1, 8), 0.04, 12, name="vector")

    @property
    def inputs(self) -> list[Value]:
        return [self.x, self.s, self.v]

    def ints(self, *values: Any, dtype: str = "int32") -> Value:
        """A constant of integers."""
        data = np.array(values[0] if len(values) == 1 and isinstance(values[0], list) else values)
        return self.builder.tensor(data.shape, dtype=dtype, data=data)

    def scalar(self, value: int) -> Value:
        return self.builder.tensor((), dtype="int32", data=np.array(value))

    def constant(self, shape: Sequence[int], scale: float = 0.02, zero_point: int = 5) -> Value:
        """A constant of random int8 values."""
        data = self.rng.integers(-128, 128, shape).astype(np.int8)
        return self.builder.tensor(shape, scale, zero_point, data=data)

    def op(
        self,
        name: str,
        inputs: Sequence[Value | None],
        shape: Sequence[int] | Sequence[Sequence[int]],
        like: Value | None = None,
        scale: float | None = None,
        zero_point: int | None = None,
        **options: Any,
    ) -> Any:
        """An operator whose options are `kind=` (their table's name) and its fields."""
        first = like if like is not None else next(v for v in inputs if v is not None)
        several = bool(shape) and not isinstance(shape[0], int)
        shapes: Any = shape if several else [shape]
        outs = [
            self.builder.tensor(
                tuple(extents),
                first.scale if scale is None else scale,
                first.zero_point if zero_point is None else zero_point,
            )
            for extents in shapes
        ]
        kind = options.pop("kind", None)
        made = None
        if kind is not None:
            made = getattr(schema, f"{kind}T")()
            for field, value in options.items():
                setattr(made, field, value)
        indices = [-1 if value is None else value.index for value in inputs]
        self.builder.operator(name, indices, [out.index for out in outs], made)
        return outs if several else outs[0]

    def indices(self, name: str, x: Value, axis: int, shape: Sequence[int], dtype: str = "int32") -> Value:
        """ARG_MAX or ARG_MIN."""
        options = getattr(schema, "ArgMaxOptionsT" if name == "ARG_MAX" else "ArgMinOptionsT")()
        options.outputType = {"int32": 2, "int64": 4}[dtype]
        out = self.builder.tensor(shape, dtype=dtype)
        self.builder.operator(name, [x.index, self.scalar(axis).index], [out.index], options)
        return out


def _arithmetic(name: str, kind: str, first: str, second: Callable[[Bench], Value], **more: Any) -> Recipe:
    def recipe(b: Bench) -> Value:
        x, y = getattr(b, first), second(b)
        shape = np.broadcast_shapes(x.shape, y.shape)
        return b.op(name, [x, y], shape, scale=0.11, zero_point=-7, kind=kind, **more)

    return recipe


def _same(name: str, shape: Sequence[int]) -> Recipe:
    """MAXIMUM or MINIMUM with a constant of the input's quantization."""
    return lambda b: b.op(
        name, [b.x, b.constant(shape, b.x.scale, b.x.zero_point)], b.x.shape, kind="MaximumMinimumOptions"
    )


def _unary(name: str, scale: float, zero_point: int, **options: Any) -> Recipe:
    return lambda b: b.op(name, [b.x], b.x.shape, scale=scale, zero_point=zero_point, **options)


def _strided(
    b: Bench, begin: list[int], end: list[int], stride: list[int], shape: Sequence[int], **masks: int
) -> Value:
    inputs = [b.x, b.ints(begin), b.ints(end), b.ints(stride)]
    return b.op("STRIDED_SLICE", inputs, shape, kind="StridedSliceOptions", **masks)


def lstm(b: Bench, x: Value, units: int, clip: float = 10.0) -> Value:
    """An int8 LSTM with random weights."""
    inputs = x.shape[-1]
    scale, zero_point = 0.0065, -11

    def weights(columns: int) -> Value:
        data = b.rng.integers(-127, 128, (units, columns)).astype(np.int8)
        return b.builder.tensor(data.shape, float(b.rng.uniform(0.004, 0.012)), data=data)

    def bias() -> Value:
        data = b.rng.integers(-3000, 3000, units).astype(np.int32)
        return b.builder.tensor((units,), 1e-4, dtype="int32", data=data)

    tensors: list[Value | None] = [
        x,
        *(weights(inputs) for _ in range(4)),
        *(weights(units) for _ in range(4)),
    ]
    tensors += [None, None, None, *(bias() for _ in range(4)), None, None]
    tensors.append(b.builder.tensor((1, units), scale, zero_point, variable=True))
    tensors.append(b.builder.tensor((1, units), 2.0**-11, 0, dtype="int16", variable=True))
    tensors += [None] * 4
    between = [b.builder.tensor((0,), dtype="float32").index for _ in range(4)]
    between.append(b.builder.tensor((0,), scale, zero_point).index)
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction, options.cellClip = 4, clip
    out = b.builder.tensor((*x.shape[:2], units), scale, zero_point)
    indices = [-1 if value is None else value.index for value in tensors]
    b.builder.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", indices, [out.index], options, between)
    return out


def svdf(b: Bench, units: int, rank: int, memory: int) -> Value:
    """An SVDF with random weights."""
    feature = b.rng.integers(-127, 128, (units * rank, b.v.shape[1])).astype(np.int8)
    time = b.rng.integers(-3000, 3000, (units * rank, memory)).astype(np.int16)
    state = b.builder.tensor((1, units * rank * memory), 0.002, 0, dtype="int16", variable=True)
    bias = b.rng.integers(-5000, 5000, units).astype(np.int32)
    inputs = [
        b.v,
        b.builder.tensor(feature.shape, 0.01, data=feature),
        b.builder.tensor(time.shape, 1e-4, dtype="int16", data=time),
        b.builder.tensor((units,), 1e-4 * state.scale, dtype="int32", data=bias),
        state,
    ]
    options = {"rank": rank, "fusedActivationFunction": 1}
    made: Value = b.op("SVDF", inputs, (1, units), scale=0.4, zero_point=7, kind="SVDFOptions", **options)
    return made


def delayed(b: Bench, name: str = "ring") -> Value:
    """The vector beside its value of the inference before, which a variable keeps."""
    initial = b.rng.integers(-128, 128, b.v.shape).astype(np.int8)
    b.builder.initialized({name: initial}, b.v.scale, b.v.zero_point)
    handle = b.builder.handle(name)
    before: Value = b.op("READ_VARIABLE", [handle], b.v.shape, like=b.v)
    joined = b.builder.concatenation([before, b.v], axis=1)
    b.builder.operator("ASSIGN_VARIABLE", [handle.index, b.v.index], [])
    return joined


def _tiled(b: Bench, rows: int, columns: int, channels: int) -> Value:
    """The image, repeated."""
    repeats = (1, rows, columns, channels)
    shape = [extent * count for extent, count in zip(b.x.shape, repeats, strict=True)]
    made: Value = b.op("TILE", [b.x, b.ints(*repeats)], shape, kind="TileOptions")
    return made


def _reduced(b: Bench, name: str, x: Value, axes: list[int], shape: Sequence[int], **options: Any) -> Value:
    made: Value = b.op(name, [x, b.ints(axes)], shape, kind="ReducerOptions", **options)
    return made


def _bilinear(b: Bench, height: int, width: int, **options: bool) -> Value:
    size = b.ints(height, width)
    made: Value = b.op(
        "RESIZE_BILINEAR", [b.x, size], (1, height, width, 4), kind="ResizeBilinearOptions", **options
    )
    return made


RECIPES: dict[str, Recipe] = {
    "add constant per channel": _arithmetic("ADD", "AddOptions", "x", lambda b: b.constant((4,))),
    "add constant, relu": _arithmetic(
        "ADD", "AddOptions", "x", lambda b: b.constant((1, 1, 1, 4)), fusedActivationFunction=1
    ),
    "add broadcast image": _arithmetic(
        "ADD", "AddOptions", "x", lambda b: b.layers.mean(b.x, keep_dims=True)
    ),
    "add scalar": _arithmetic("ADD", "AddOptions", "x", lambda b: b.constant(())),
    "sub": _arithmetic("SUB", "SubOptions", "x", lambda b: b.layers.conv(b.x, 4)),
    "sub from constant": lambda b: b.op(
        "SUB", [b.constant((4,)), b.x], b.x.shape, scale=0.1, zero_point=1, kind="SubOptions"
    ),
    "mul": _arithmetic("MUL", "MulOptions", "x", lambda b: b.layers.conv(b.x, 4)),
    "mul constant per channel": _arithmetic("MUL", "MulOptions", "x", lambda b: b.constant((4,))),
    "mul per row": _arithmetic("MUL", "MulOptions", "x", lambda b: b.constant((6, 1, 1))),
    "mul scalar, relu6": _arithmetic(
        "MUL", "MulOptions", "x", lambda b: b.constant((1,)), fusedActivationFunction=3
    ),
    "mul squeeze and excite": _arithmetic(
        "MUL", "MulOptions", "x", lambda b: b.layers.mean(b.x, keep_dims=True)
    ),
    "mul square": lambda b: b.op("MUL", [b.x, b.x], b.x.shape, scale=0.3, zero_point=-128, kind="MulOptions"),
    "mul swish": lambda b: b.op(
        "MUL",
        [b.x, b.layers.elementwise(b.x, "LOGISTIC")],
        b.x.shape,
        scale=0.04,
        zero_point=-100,
        kind="MulOptions",
    ),
    "mul sequence": _arithmetic("MUL", "MulOptions", "s", lambda b: b.constant((1, 7, 1))),
    "maximum": _same("MAXIMUM", (4,)),
    "minimum": _same("MINIMUM", (1, 1, 5, 1)),
    "maximum of two": lambda b: b.op(
        "MAXIMUM", [b.x, b.layers.like(b.x, b.layers.conv(b.x, 4))], b.x.shape, kind="MaximumMinimumOptions"
    ),
    "leaky relu": _unary("LEAKY_RELU", 0.03, -20, kind="LeakyReluOptions", alpha=0.1),
    "leaky relu steep": _unary("LEAKY_RELU", 0.2, 4, kind="LeakyReluOptions", alpha=1.7),
    "prelu": lambda b: b.op(
        "PRELU", [b.x, b.constant((1, 1, 4), 0.01, -3)], b.x.shape, scale=0.06, zero_point=1
    ),
    "prelu shared": lambda b: b.op(
        "PRELU", [b.x, b.constant((1, 1, 1), 0.01, -3)], b.x.shape, scale=0.06, zero_point=1
    ),
    "hard swish": _unary("HARD_SWISH", 0.045, -110, kind="HardSwishOptions"),
    "hard swish wide": lambda b: b.op(
        "HARD_SWISH",
        [b.op("QUANTIZE", [b.v], b.v.shape, scale=0.9, zero_point=0)],
        b.v.shape,
        scale=0.9,
        zero_point=-120,
    ),
    "tanh": _unary("TANH", 1 / 128, 0),
    "elu": _unary("ELU", 0.04, -100),
    "exp": _unary("EXP", 1.5, -128, kind="ExpOptions"),
    "relu 0 to 1": _unary("RELU_0_TO_1", 1 / 255, -128),
    "expand dims": lambda b: b.op("EXPAND_DIMS", [b.s, b.scalar(1)], (1, 1, 7, 6), kind="ExpandDimsOptions"),
    "squeeze": lambda b: b.op(
        "SQUEEZE",
        [b.op("EXPAND_DIMS", [b.s, b.scalar(-1)], (1, 7, 6, 1))],
        (7, 6),
        kind="SqueezeOptions",
        squeezeDims=[0, 3],
    ),
    "reshape without batch": lambda b: b.builder.reshape(b.x, (6, 20)),
    "reshape rank 5": lambda b: b.builder.reshape(b.x, (2, 3, 5, 2, 2)),
    "transpose": lambda b: b.op(
        "TRANSPOSE", [b.x, b.ints(0, 2, 1, 3)], (1, 5, 6, 4), kind="TransposeOptions"
    ),
    "transpose channels first": lambda b: b.op("TRANSPOSE", [b.x, b.ints(0, 3, 1, 2)], (1, 4, 6, 5)),
    "transpose batch": lambda b: b.op("TRANSPOSE", [b.x, b.ints(2, 0, 3, 1)], (5, 1, 4, 6)),
    "transpose rank 5": lambda b: b.op(
        "TRANSPOSE", [b.builder.reshape(b.x, (1, 2, 3, 5, 4)), b.ints(0, 3, 2, 4, 1)], (1, 5, 3, 4, 2)
    ),
    "strided slice": lambda b: _strided(b, [0, 1, 0, 1], [1, 6, 5, 4], [1, 2, 3, 1], (1, 3, 2, 3)),
    "strided slice masks": lambda b: _strided(
        b, [0, 1, 2], [0, 5, 3], [1, 1, 1], (1, 4, 4), beginMask=1, endMask=1, shrinkAxisMask=4
    ),
    "strided slice backwards": lambda b: _strided(
        b, [0, -1, 0, 0], [1, -7, 5, 4], [1, -1, 1, 2], (1, 6, 5, 2)
    ),
    "strided slice ellipsis": lambda b: _strided(b, [0, 1], [0, 3], [1, 1], (1, 6, 5, 2), ellipsisMask=1),
    "slice": lambda b: b.op(
        "SLICE", [b.x, b.ints(0, 2, 1, 0), b.ints(1, 3, -1, 4)], (1, 3, 4, 4), kind="SliceOptions"
    ),
    "split": lambda b: b.op(
        "SPLIT", [b.scalar(3), b.x], [(1, 6, 5, 2)] * 2, like=b.x, kind="SplitOptions", numSplits=2
    ),
    "split rows": lambda b: b.op(
        "SPLIT", [b.scalar(1), b.x], [(1, 2, 5, 4)] * 3, like=b.x, kind="SplitOptions", numSplits=3
    ),
    "split_v": lambda b: b.op(
        "SPLIT_V",
        [b.x, b.ints(1, 3, 1), b.scalar(2)],
        [(1, 6, 1, 4), (1, 6, 3, 4), (1, 6, 1, 4)],
        kind="SplitVOptions",
        numSplits=3,
    ),
    "unpack": lambda b: b.op("UNPACK", [b.s], [(1, 6)] * 7, kind="UnpackOptions", axis=1, num=7),
    "pack": lambda b: b.op(
        "PACK", [b.v, b.layers.like(b.v, b.v)], (1, 2, 8), kind="PackOptions", axis=1, valuesCount=2
    ),
    "pack last": lambda b: b.op(
        "PACK",
        [b.v, b.constant((1, 8), b.v.scale, b.v.zero_point)],
        (1, 8, 2),
        kind="PackOptions",
        axis=2,
        valuesCount=2,
    ),
    "pack first": lambda b: b.op(
        "PACK", [b.v, b.v, b.v], (3, 1, 8), kind="PackOptions", axis=0, valuesCount=3
    ),
    "concatenation of batches": lambda b: b.builder.concatenation([b.x, b.x], axis=0),
    "concatenation with a constant": lambda b: b.builder.concatenation(
        [b.x, b.constant((1, 6, 5, 3), b.x.scale, b.x.zero_point)]
    ),
    "concatenation rank 5": lambda b: b.builder.concatenation(
        [b.builder.reshape(b.x, (1, 2, 3, 5, 4))] * 2, axis=2
    ),
    "tile": lambda b: b.op("TILE", [b.x, b.ints(1, 2, 1, 3)], (1, 12, 5, 12), kind="TileOptions"),
    "broadcast": lambda b: b.op("BROADCAST_TO", [b.v, b.ints(3, 2, 8)], (3, 2, 8)),
    "gather": lambda b: b.op("GATHER", [b.x, b.ints(3, 0, 0, 2)], (1, 6, 4, 4), kind="GatherOptions", axis=2),
    "reverse": lambda b: b.op("REVERSE_V2", [b.s, b.ints([1])], b.s.shape, kind="ReverseV2Options"),
    "mirror pad": lambda b: b.op(
        "MIRROR_PAD",
        [b.x, b.ints([[0, 0], [1, 2], [2, 1], [0, 0]])],
        (1, 9, 8, 4),
        kind="MirrorPadOptions",
        mode=0,
    ),
    "mirror pad symmetric": lambda b: b.op(
        "MIRROR_PAD",
        [b.x, b.ints([[0, 0], [0, 3], [2, 0], [1, 0]])],
        (1, 9, 7, 5),
        kind="MirrorPadOptions",
        mode=1,
    ),
    "pad channels": lambda b: b.op(
        "PAD", [b.x, b.ints([[0, 0], [0, 0], [1, 0], [2, 3]])], (1, 6, 6, 9), kind="PadOptions"
    ),
    "pad sequence": lambda b: b.op(
        "PAD", [b.s, b.ints([[0, 0], [2, 1], [0, 0]])], (1, 10, 6), kind="PadOptions"
    ),
    "padv2": lambda b: b.op(
        "PADV2",
        [
            b.x,
            b.ints([[0, 0], [1, 1], [0, 2], [0, 0]]),
            b.builder.tensor((), b.x.scale, b.x.zero_point, data=np.array(-77, np.int8)),
        ],
        (1, 8, 7, 4),
        kind="PadV2Options",
    ),
    "resize nearest": lambda b: b.op(
        "RESIZE_NEAREST_NEIGHBOR", [b.x, b.ints(12, 10)], (1, 12, 10, 4), kind="ResizeNearestNeighborOptions"
    ),
    "resize nearest odd": lambda b: b.op(
        "RESIZE_NEAREST_NEIGHBOR",
        [b.x, b.ints(7, 13)],
        (1, 7, 13, 4),
        kind="ResizeNearestNeighborOptions",
        halfPixelCenters=True,
    ),
    "resize nearest corners": lambda b: b.op(
        "RESIZE_NEAREST_NEIGHBOR",
        [b.x, b.ints(9, 3)],
        (1, 9, 3, 4),
        kind="ResizeNearestNeighborOptions",
        alignCorners=True,
    ),
    "depth to space": lambda b: b.op(
        "DEPTH_TO_SPACE", [b.x], (1, 12, 10, 1), kind="DepthToSpaceOptions", blockSize=2
    ),
    "space to depth": lambda b: b.op(
        "SPACE_TO_DEPTH",
        [b.builder.pad(b.x, ((0, 0), (0, 1)))],
        (1, 3, 3, 16),
        kind="SpaceToDepthOptions",
        blockSize=2,
    ),
    "mean rows": lambda b: _reduced(b, "MEAN", b.x, [1], (1, 1, 5, 4), keepDims=True, scale=0.04),
    "mean channels": lambda b: _reduced(b, "MEAN", b.x, [-1], (1, 6, 5), scale=0.05),
    "mean of all": lambda b: _reduced(b, "MEAN", b.x, [1, 2, 3], (1,), scale=0.01),
    "mean sequence": lambda b: _reduced(b, "MEAN", b.s, [1], (1, 6), scale=0.02),
    "reduce max": lambda b: _reduced(b, "REDUCE_MAX", b.x, [1, 2], (1, 4)),
    "reduce max sequence": lambda b: _reduced(b, "REDUCE_MAX", b.s, [1], (1, 6)),
    "reduce min": lambda b: _reduced(b, "REDUCE_MIN", b.x, [1, 3], (1, 1, 5, 1), keepDims=True),
    "arg max": lambda b: b.indices("ARG_MAX", b.v, 1, (1,)),
    "arg max of pixels": lambda b: b.indices("ARG_MAX", b.x, -1, (1, 6, 5), "int64"),
    "arg min of rows": lambda b: b.indices("ARG_MIN", b.x, 1, (1, 5, 4)),
    "resize bilinear": lambda b: _bilinear(b, 12, 10),
    "resize bilinear centers": lambda b: _bilinear(b, 11, 13, halfPixelCenters=True),
    "resize bilinear corners": lambda b: _bilinear(b, 9, 9, alignCorners=True),
    "resize bilinear down": lambda b: _bilinear(b, 3, 2, halfPixelCenters=True),
    "grouped convolution": lambda b: b.layers.conv(b.x, 6, depth=2),
    "grouped convolution of single channels": lambda b: b.layers.conv(b.x, 8, depth=1, stride=(2, 1)),
    "dense at positions": lambda b: b.layers.dense(b.x, 5, keep=True, activation="relu"),
    "dense at steps": lambda b: b.layers.dense(b.s, 3, keep=True),
    "dense at rows": lambda b: b.layers.dense(b.builder.reshape(b.s, (7, 6)), 3, rows=7),
    "transposed convolution": lambda b: b.layers.transposed(b.x, 3, (3, 3), (2, 2)),
    "transposed convolution valid": lambda b: b.layers.transposed(b.x, 5, (2, 4), (2, 3), "VALID"),
    "transposed convolution small": lambda b: b.layers.transposed(b.x, 2, (1, 2), (3, 1)),
    "transposed convolution of stride 1": lambda b: b.layers.transposed(b.x, 4, (3, 2), (1, 1)),
    "matrix product": lambda b: b.op(
        "BATCH_MATMUL", [b.s, b.s], (1, 7, 7), scale=0.05, zero_point=-4, kind="BatchMatMulOptions", adjY=True
    ),
    "matrix product with a constant": lambda b: b.op(
        "BATCH_MATMUL",
        [b.s, b.constant((1, 6, 3))],
        (1, 7, 3),
        scale=0.05,
        zero_point=-4,
        kind="BatchMatMulOptions",
    ),
    "matrix products": lambda b: b.op(
        "BATCH_MATMUL",
        [b.x, b.builder.reshape(b.layers.conv(b.x, 4), (1, 6, 4, 5))],
        (1, 6, 5, 5),
        scale=0.3,
        zero_point=4,
        kind="BatchMatMulOptions",
    ),
    "softmax of many": lambda b: b.builder.softmax(b.layers.dense(b.v, 700)),
    "softmax of a sequence": lambda b: b.builder.softmax(b.s, 0.7),
    "max pool of far rows": lambda b: b.layers.pool(_tiled(b, 1, 7, 16), kernel=(3, 3), stride=(2, 2)),
    "average pool of far rows": lambda b: b.layers.pool(
        _tiled(b, 1, 5, 21), "average", (3, 4), stride=(2, 3), padding="SAME"
    ),
    "average pool of a wide window": lambda b: b.layers.pool(
        _tiled(b, 1, 6, 1), "average", (2, 20), stride=(1, 3)
    ),
    "mean of wide rows": lambda b: b.layers.mean(_tiled(b, 1, 9, 2)),
    "mean of one row": lambda b: b.layers.mean(b.builder.reshape(_tiled(b, 2, 4, 1), (1, 1, 240, 4))),
    "lstm": lambda b: lstm(b, b.s, 5),
    "lstm behind another": lambda b: lstm(b, lstm(b, b.s, 4, 0.5), 3),
    "svdf": lambda b: svdf(b, 5, 2, 4),
    "svdf of rank 1": lambda b: svdf(b, 3, 1, 6),
    "variable": delayed,
    "dense without batch": lambda b: b.layers.dense(b.builder.reshape(b.v, (8,)), 4),
}


def network(recipe: Recipe, seed: int = 0) -> bytes:
    """The model of one recipe, all of the bench's inputs its own."""
    bench = Bench(seed)
    made = recipe(bench)
    return bench.builder.finish(bench.inputs, made)


def all_at_once(names: Sequence[str] = tuple(RECIPES)) -> bytes:
    """One model of many recipes, whose outputs are those of each."""
    bench = Bench()
    outputs: list[Value] = []
    for name in names:
        made = RECIPES[name](bench)
        outputs += [made] if isinstance(made, Value) else made
    return bench.builder.finish(bench.inputs, outputs)
