"""A small network for each operator and each way in which it comes, as functions of a builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.export.models.bench import Bench, delayed, lstm, svdf
from tests.export.models.model_builder import Value

Recipe = Callable[[Bench], Value | Sequence[Value]]


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


def _tiled(b: Bench, rows: int, columns: int, channels: int) -> Value:
    """The image, repeated."""
    repeats = (1, rows, columns, channels)
    shape = [extent * count for extent, count in zip(b.x.shape, repeats, strict=True)]
    return b.op("TILE", [b.x, b.ints(*repeats)], shape, kind="TileOptions")


def _reduced(b: Bench, name: str, x: Value, axes: list[int], shape: Sequence[int], **options: Any) -> Value:
    return b.op(name, [x, b.ints(axes)], shape, kind="ReducerOptions", **options)


def _resized(b: Bench, method: str, height: int, width: int, **options: bool) -> Value:
    """The image in another size, by the method BILINEAR or NEAREST_NEIGHBOR."""
    kind = f"Resize{method.title().replace('_', '')}Options"
    return b.op(f"RESIZE_{method}", [b.x, b.ints(height, width)], (1, height, width, 4), kind=kind, **options)


def _padded(b: Bench, name: str, x: Value, amounts: list[list[int]], **options: int) -> Value:
    """PAD or MIRROR_PAD by (before, after) of each dimension."""
    shape = [extent + sum(amount) for extent, amount in zip(x.shape, amounts, strict=True)]
    return b.op(name, [x, b.ints(amounts)], shape, **options)


def _product(
    b: Bench, x: Value, y: Value, shape: Sequence[int], scale: float, zero_point: int, **options: bool
) -> Value:
    return b.op(
        "BATCH_MATMUL",
        [x, y],
        shape,
        scale=scale,
        zero_point=zero_point,
        kind="BatchMatMulOptions",
        **options,
    )


def _prelu(slopes: Sequence[int]) -> Recipe:
    return lambda b: b.op("PRELU", [b.x, b.constant(slopes, 0.01, -3)], b.x.shape, scale=0.06, zero_point=1)


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
    "prelu": _prelu((1, 1, 4)),
    "prelu shared": _prelu((1, 1, 1)),
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
    "strided slice first of a masked axis": lambda b: _strided(
        b, [0, 3, 2, 1], [1, 4, 5, 4], [1, 1, 1, 1], (1, 3, 3), beginMask=2, shrinkAxisMask=2
    ),
    "strided slice backwards": lambda b: _strided(
        b, [0, -1, 0, 0], [1, -7, 5, 4], [1, -1, 1, 2], (1, 6, 5, 2)
    ),
    "strided slice ellipsis": lambda b: _strided(b, [0, 1], [0, 3], [1, 1], (1, 6, 5, 2), ellipsisMask=1),
    "slice": lambda b: b.op(
        "SLICE", [b.x, b.ints(0, 2, 1, 0), b.ints(1, 3, -1, 4)], (1, 3, 4, 4), kind="SliceOptions"
    ),
    "split": lambda b: b.ops(
        "SPLIT", [b.scalar(3), b.x], [(1, 6, 5, 2)] * 2, like=b.x, kind="SplitOptions", numSplits=2
    ),
    "split rows": lambda b: b.ops(
        "SPLIT", [b.scalar(1), b.x], [(1, 2, 5, 4)] * 3, like=b.x, kind="SplitOptions", numSplits=3
    ),
    "split_v": lambda b: b.ops(
        "SPLIT_V",
        [b.x, b.ints(1, 3, 1), b.scalar(2)],
        [(1, 6, 1, 4), (1, 6, 3, 4), (1, 6, 1, 4)],
        kind="SplitVOptions",
        numSplits=3,
    ),
    "unpack": lambda b: b.ops("UNPACK", [b.s], [(1, 6)] * 7, kind="UnpackOptions", axis=1, num=7),
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
    "mirror pad": lambda b: _padded(
        b, "MIRROR_PAD", b.x, [[0, 0], [1, 2], [2, 1], [0, 0]], kind="MirrorPadOptions", mode=0
    ),
    "mirror pad symmetric": lambda b: _padded(
        b, "MIRROR_PAD", b.x, [[0, 0], [0, 3], [2, 0], [1, 0]], kind="MirrorPadOptions", mode=1
    ),
    "pad channels": lambda b: _padded(b, "PAD", b.x, [[0, 0], [0, 0], [1, 0], [2, 3]], kind="PadOptions"),
    "pad sequence": lambda b: _padded(b, "PAD", b.s, [[0, 0], [2, 1], [0, 0]], kind="PadOptions"),
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
    "resize nearest": lambda b: _resized(b, "NEAREST_NEIGHBOR", 12, 10),
    "resize nearest odd": lambda b: _resized(b, "NEAREST_NEIGHBOR", 7, 13, halfPixelCenters=True),
    "resize nearest corners": lambda b: _resized(b, "NEAREST_NEIGHBOR", 9, 3, alignCorners=True),
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
    "resize bilinear": lambda b: _resized(b, "BILINEAR", 12, 10),
    "resize bilinear centers": lambda b: _resized(b, "BILINEAR", 11, 13, halfPixelCenters=True),
    "resize bilinear corners": lambda b: _resized(b, "BILINEAR", 9, 9, alignCorners=True),
    "resize bilinear down": lambda b: _resized(b, "BILINEAR", 3, 2, halfPixelCenters=True),
    "grouped convolution": lambda b: b.layers.conv(b.x, 6, depth=2),
    "grouped convolution of single channels": lambda b: b.layers.conv(b.x, 8, depth=1, stride=(2, 1)),
    "dense at positions": lambda b: b.layers.dense(b.x, 5, keep=True, activation="relu"),
    "dense at steps": lambda b: b.layers.dense(b.s, 3, keep=True),
    "dense at rows": lambda b: b.layers.dense(b.builder.reshape(b.s, (7, 6)), 3, rows=7),
    "transposed convolution": lambda b: b.layers.transposed(b.x, 3, (3, 3), (2, 2)),
    "transposed convolution valid": lambda b: b.layers.transposed(b.x, 5, (2, 4), (2, 3), "VALID"),
    "transposed convolution small": lambda b: b.layers.transposed(b.x, 2, (1, 2), (3, 1)),
    "transposed convolution of stride 1": lambda b: b.layers.transposed(b.x, 4, (3, 2), (1, 1)),
    "matrix product": lambda b: _product(b, b.s, b.s, (1, 7, 7), 0.05, -4, adjY=True),
    "matrix product with a constant": lambda b: _product(b, b.s, b.constant((1, 6, 3)), (1, 7, 3), 0.05, -4),
    "matrix products": lambda b: _product(
        b, b.x, b.builder.reshape(b.layers.conv(b.x, 4), (1, 6, 4, 5)), (1, 6, 5, 5), 0.3, 4
    ),
    "softmax of many": lambda b: b.builder.softmax(b.layers.dense(b.v, 700)),
    "log softmax": lambda b: b.builder.log_softmax(b.x),
    "log softmax of many": lambda b: b.builder.log_softmax(b.layers.dense(b.v, 300)),
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
    "lstm of steps before batches": lambda b: lstm(b, b.builder.reshape(b.s, (7, 1, 6)), 5, time_major=True),
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
