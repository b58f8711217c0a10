"""Steps of random networks: each adds one operator, or a few that belong together, with random options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.export.models.bench import Bench, lstm, svdf
from tests.export.models.model_builder import Value

_FUNCTIONS = ("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "LOGISTIC", "QUANTIZE")
Step = Callable[[Bench, np.random.Generator, Value], Value]


def _scale(rng: np.random.Generator, scale: float, spread: float = 3.0) -> float:
    return float(np.float32(scale * spread ** rng.uniform(-1, 1)))


def _constant(b: Bench, rng: np.random.Generator, x: Value, *, like: bool = False) -> Value:
    """A constant that goes with a tensor: of its shape, of its last dimensions, or one number."""
    shape = x.shape[int(rng.integers(0, len(x.shape) + 1)) :]
    shape = tuple(1 if rng.random() < 0.2 else extent for extent in shape)
    if like:
        return b.constant(shape, x.scale, x.zero_point)
    return b.constant(shape, _scale(rng, 0.02), int(rng.integers(-20, 20)))


def _arithmetic(name: str) -> Step:
    def step(b: Bench, rng: np.random.Generator, x: Value) -> Value:
        kind = f"{name.capitalize()}Options"
        if rng.random() < 0.3:
            y = b.layers.elementwise(x, "LOGISTIC")
        elif rng.random() < 0.3 and len(x.shape) == 4 and x.shape[0] == 1:
            y = b.layers.mean(x, keep_dims=True)
        elif rng.random() < 0.1:
            y = x
        else:
            y = _constant(b, rng, x)
        operands = [x, y] if rng.random() < 0.7 else [y, x]
        options = {"fusedActivationFunction": int(rng.choice([0, 0, 1, 3]))}
        scale = _scale(rng, x.scale * y.scale * 60 if name == "MUL" else x.scale + y.scale)
        return b.op(
            name, operands, x.shape, scale=scale, zero_point=b.layers.zero_point(), kind=kind, **options
        )

    return step


def _extreme(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    name = str(rng.choice(["MAXIMUM", "MINIMUM"]))
    return b.op(name, [x, _constant(b, rng, x, like=True)], x.shape, kind="MaximumMinimumOptions")


def _unary(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    scale, zero_point = _scale(rng, x.scale), b.layers.zero_point()
    match rng.integers(0, 6):
        case 0:
            made = b.op("TANH", [x], x.shape, scale=1 / 128, zero_point=0)
        case 1:
            made = b.op("HARD_SWISH", [x], x.shape, scale=max(scale, x.scale), zero_point=zero_point)
        case 2:
            alpha = float(rng.uniform(-0.5, 1.5))
            made = b.op(
                "LEAKY_RELU",
                [x],
                x.shape,
                scale=scale,
                zero_point=zero_point,
                kind="LeakyReluOptions",
                alpha=alpha,
            )
        case 3:
            shared = [1] * (len(x.shape) - 2) if rng.random() < 0.7 else x.shape[1:-1]
            slopes = b.constant((*shared, x.shape[-1]), 0.01, int(rng.integers(-9, 9)))
            made = b.op("PRELU", [x, slopes], x.shape, scale=scale, zero_point=zero_point)
        case 4:
            made = b.layers.elementwise(x, str(rng.choice(_FUNCTIONS)))
        case _:
            made = b.op("EXP", [x], x.shape, scale=scale * 20, zero_point=-128, kind="ExpOptions")
    return made


def _transpose(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    order = (
        rng.permutation(len(x.shape))
        if rng.random() < 0.5
        else np.r_[0, 1 + rng.permutation(len(x.shape) - 1)]
    )
    shape = tuple(x.shape[axis] for axis in order)
    return b.op("TRANSPOSE", [x, b.ints(order.tolist())], shape, kind="TransposeOptions")


def _strided_slice(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    begin, end, stride, shape = [], [], [], []
    for extent in x.shape:
        step = int(rng.choice([1, 1, 2, -1]))
        first, last = sorted(int(value) for value in rng.choice(extent + 1, 2, replace=False))
        begin.append(last - 1 if step < 0 else first)
        end.append(first - 1 - (extent + 1) * (first == 0) if step < 0 else last)
        stride.append(step)
        shape.append(-(-(last - first) // abs(step)))
    inputs = [x, b.ints(begin), b.ints(end), b.ints(stride)]
    return b.op("STRIDED_SLICE", inputs, shape, kind="StridedSliceOptions")


def _slice(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    begin = [int(rng.integers(0, extent)) for extent in x.shape]
    shape = [int(rng.integers(1, extent - first + 1)) for first, extent in zip(begin, x.shape, strict=True)]
    size = [
        -1 if first + taken == extent and rng.random() < 0.5 else taken
        for first, taken, extent in zip(begin, shape, x.shape, strict=True)
    ]
    return b.op("SLICE", [x, b.ints(begin), b.ints(size)], shape, kind="SliceOptions")


def _other_rank(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    ones = [axis for axis, extent in enumerate(x.shape) if extent == 1]
    if ones and len(x.shape) > 1 and rng.random() < 0.5:
        gone = sorted(set(rng.choice(ones, int(rng.integers(1, len(ones) + 1))).tolist()))
        shape = [extent for axis, extent in enumerate(x.shape) if axis not in gone]
        made = b.op("SQUEEZE", [x], shape, kind="SqueezeOptions", squeezeDims=gone)
    elif len(x.shape) < 5:
        axis = int(rng.integers(0, len(x.shape) + 1))
        shape = [*x.shape[:axis], 1, *x.shape[axis:]]
        made = b.op("EXPAND_DIMS", [x, b.scalar(axis)], shape, kind="ExpandDimsOptions")
    else:
        made = b.builder.reshape(x, (int(np.prod(x.shape)),))
    return made


def _reverse(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    axis = int(rng.integers(0, len(x.shape)))
    return b.op("REVERSE_V2", [x, b.ints([axis])], x.shape, kind="ReverseV2Options")


def _broadcast(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    shape = [int(rng.integers(1, 4)) if extent == 1 else extent for extent in x.shape]
    if rng.random() < 0.3 and len(shape) < 5:
        shape = [int(rng.integers(1, 3)), *shape]
    return b.op("BROADCAST_TO", [x, b.ints(shape)], shape, kind="BroadcastToOptions")


def _split(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    """Equal parts, of which those that go on are joined in another order."""
    axis = int(rng.integers(0, len(x.shape)))
    extent = x.shape[axis]
    count = int(rng.choice([part for part in range(1, extent + 1) if extent % part == 0]))
    shape = (*x.shape[:axis], extent // count, *x.shape[axis + 1 :])
    options = {"kind": "SplitOptions", "numSplits": count}
    parts = b.ops("SPLIT", [b.scalar(axis), x], [shape] * count, like=x, **options)
    return b.builder.concatenation([parts[-1], parts[0]], axis=axis)


def _split_and_join(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    axis = int(rng.integers(0, len(x.shape)))
    extent = x.shape[axis]
    first = int(rng.integers(1, extent)) if extent > 1 else 1
    if extent == 1:
        return b.builder.concatenation([x, x], axis=axis)
    sizes = [first, extent - first]
    shapes = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
    parts = b.ops("SPLIT_V", [x, b.ints(sizes), b.scalar(axis)], shapes, kind="SplitVOptions", numSplits=2)
    return b.builder.concatenation(parts[::-1], axis=axis)


def _unpack_and_pack(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    axis = int(rng.integers(0, len(x.shape)))
    left = (*x.shape[:axis], *x.shape[axis + 1 :])
    parts = b.ops("UNPACK", [x], [left] * x.shape[axis], kind="UnpackOptions", axis=axis, num=x.shape[axis])
    chosen = [parts[int(i)] for i in rng.integers(0, len(parts), int(rng.integers(1, 4)))]
    at = int(rng.integers(0, len(left) + 1))
    shape = (*left[:at], len(chosen), *left[at:])
    return b.op("PACK", chosen, shape, kind="PackOptions", axis=at, valuesCount=len(chosen))


def _tile(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    repeats = [int(rng.choice([1, 1, 2])) for _ in x.shape]
    shape = [extent * count for extent, count in zip(x.shape, repeats, strict=True)]
    return b.op("TILE", [x, b.ints(repeats)], shape, kind="TileOptions")


def _pad(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    amounts = rng.integers(0, 3, (len(x.shape), 2))
    mirrors = rng.random() < 0.4 and min(x.shape) > 0
    if mirrors:
        amounts = np.minimum(amounts, np.array(x.shape)[:, None] - 1)
    shape = (np.array(x.shape) + amounts.sum(axis=1)).tolist()
    if mirrors:
        mode = int(rng.integers(0, 2))
        return b.op("MIRROR_PAD", [x, b.ints(amounts.tolist())], shape, kind="MirrorPadOptions", mode=mode)
    if rng.random() < 0.4:
        value = b.constant((), x.scale, x.zero_point)
        return b.op("PADV2", [x, b.ints(amounts.tolist()), value], shape, kind="PadV2Options")
    return b.op("PAD", [x, b.ints(amounts.tolist())], shape, kind="PadOptions")


def _reduce(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    name = str(rng.choice(["MEAN", "REDUCE_MAX", "REDUCE_MIN"]))
    axes = sorted(set(rng.integers(0, len(x.shape), int(rng.integers(1, 3))).tolist()))
    keep = bool(rng.random() < 0.5)
    if keep:
        shape = [1 if axis in axes else extent for axis, extent in enumerate(x.shape)]
    else:
        shape = [extent for axis, extent in enumerate(x.shape) if axis not in axes]
    options: dict[str, Any] = {"kind": "ReducerOptions", "keepDims": keep}
    if name == "MEAN":
        options |= {"scale": _scale(rng, x.scale, 2.0), "zero_point": b.layers.zero_point()}
    return b.op(name, [x, b.ints(axes)], shape, **options)


def _resize(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    name = str(rng.choice(["RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"]))
    kind = "ResizeNearestNeighborOptions" if "NEAREST" in name else "ResizeBilinearOptions"
    size = rng.integers(1, 12, 2).tolist()
    option = {str(rng.choice(["alignCorners", "halfPixelCenters"])): bool(rng.random() < 0.6)}
    return b.op(name, [x, b.ints(size)], (1, *size, x.shape[3]), kind=kind, **option)


def _blocks(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    _, height, width, depth = x.shape
    if depth % 4 == 0 and rng.random() < 0.5:
        shape = (1, 2 * height, 2 * width, depth // 4)
        made = b.op("DEPTH_TO_SPACE", [x], shape, kind="DepthToSpaceOptions", blockSize=2)
    elif height % 2 == 0 and width % 2 == 0:
        shape = (1, height // 2, width // 2, 4 * depth)
        made = b.op("SPACE_TO_DEPTH", [x], shape, kind="SpaceToDepthOptions", blockSize=2)
    else:
        made = b.builder.reshape(x, (1, height * width, depth))
    return made


def _conv(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    kernel = (int(rng.integers(1, min(4, x.shape[1] + 1))), int(rng.integers(1, min(4, x.shape[2] + 1))))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    padding = str(rng.choice(["SAME", "VALID"]))
    match rng.integers(0, 7):
        case 0:
            return b.layers.depthwise(x, int(rng.integers(1, 3)), kernel, stride=stride, padding=padding)
        case 6:
            made = b.layers.depthwise if rng.random() < 0.5 else b.layers.conv
            dilation = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
            count = 1 if made == b.layers.depthwise else int(rng.integers(1, 9))
            return made(x, count, (min(2, x.shape[1]), 2), dilation=dilation, padding="SAME")
        case 1:
            return b.layers.transposed(x, int(rng.integers(1, 5)), kernel, stride, padding)
        case 2 if x.shape[3] % 2 == 0:
            return b.layers.conv(x, 2 * int(rng.integers(1, 4)), kernel, stride=stride, depth=x.shape[3] // 2)
        case 3:
            kind = str(rng.choice(["max", "average"]))
            return b.layers.pool(x, kind, kernel, stride=stride, padding=padding)
        case 4:
            return b.layers.dense(x, int(rng.integers(1, 6)), keep=True)
        case _:
            return b.layers.conv(x, int(rng.integers(1, 9)), kernel, stride=stride, padding=padding)


def _dense(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    return b.layers.dense(
        x, int(rng.integers(1, 10)), keep=bool(rng.random() < 0.5), bias=bool(rng.random() < 0.7)
    )


def _softmax(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    return b.builder.softmax(x, float(rng.uniform(0.5, 2.0)))


def _log_softmax(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    return b.builder.log_softmax(x)


def _reshape(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    """To a constant shape, or to one that the network computes."""
    if len(x.shape) == 4 and rng.random() < 0.3:
        return b.builder.reshape_keeping_batch(x, (int(np.prod(x.shape[1:])),))
    size = int(np.prod(x.shape))
    shape: list[int] = []
    while size > 1 and len(shape) < 4:
        factor = int(rng.choice([f for f in range(1, size + 1) if size % f == 0]))
        shape.append(factor)
        size //= factor
    return b.builder.reshape(x, (*shape, size))


def _product(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    """Matrices times a constant, or times themselves."""
    if rng.random() < 0.3:
        return _square(b, rng, x)
    y = b.constant(
        (*[1] * (len(x.shape) - 2), x.shape[-1], int(rng.integers(1, 6))), 0.02, int(rng.integers(-9, 9))
    )
    shape = (*x.shape[:-1], y.shape[-1])
    scale = _scale(rng, x.scale * 0.02 * 60 * x.shape[-1] ** 0.5)
    return b.op(
        "BATCH_MATMUL",
        [x, y],
        shape,
        scale=scale,
        zero_point=b.layers.zero_point(),
        kind="BatchMatMulOptions",
    )


def _square(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    first = bool(rng.random() < 0.5)
    extent = x.shape[-1] if first else x.shape[-2]
    inner = x.shape[-2] if first else x.shape[-1]
    return b.op(
        "BATCH_MATMUL",
        [x, x],
        (*x.shape[:-2], extent, extent),
        scale=_scale(rng, x.scale**2 * 60 * inner**0.5),
        zero_point=b.layers.zero_point(),
        kind="BatchMatMulOptions",
        adjX=first,
        adjY=not first,
    )


def _gather(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    axis = int(rng.integers(0, len(x.shape)))
    wanted = rng.integers(0, x.shape[axis], int(rng.integers(1, 5))).tolist()
    shape = (*x.shape[:axis], len(wanted), *x.shape[axis + 1 :])
    return b.op("GATHER", [x, b.ints(wanted)], shape, kind="GatherOptions", axis=axis)


def is_image(x: Value) -> bool:
    """Whether a step for images takes it."""
    return len(x.shape) == 4 and x.shape[0] == 1


def _batched(x: Value) -> bool:
    return len(x.shape) >= 2 and x.shape[0] == 1


STEPS: tuple[tuple[Step, Callable[[Value], bool]], ...] = (
    *((_arithmetic(name), lambda x: len(x.shape) <= 4) for name in ("ADD", "SUB", "MUL")),
    (_extreme, lambda x: len(x.shape) <= 4),
    (_unary, lambda x: 2 <= len(x.shape) <= 4),
    (_transpose, lambda x: 2 <= len(x.shape) <= 5),
    (_strided_slice, lambda x: 1 <= len(x.shape) <= 4),
    (_slice, lambda x: 1 <= len(x.shape) <= 4),
    (_other_rank, lambda x: 1 <= len(x.shape) <= 5),
    (_reverse, lambda x: 1 <= len(x.shape) <= 4),
    (_broadcast, lambda x: 1 <= len(x.shape) <= 4),
    (_split, lambda x: 1 <= len(x.shape) <= 4),
    (_split_and_join, lambda x: 1 <= len(x.shape) <= 4),
    (_unpack_and_pack, lambda x: 2 <= len(x.shape) <= 4),
    (_tile, lambda x: 1 <= len(x.shape) <= 4),
    (_pad, lambda x: 1 <= len(x.shape) <= 4),
    (_reduce, lambda x: 2 <= len(x.shape) <= 4),
    (_resize, is_image),
    (_blocks, is_image),
    *((_conv, is_image),) * 4,
    (_dense, _batched),
    (_softmax, lambda x: 2 <= len(x.shape) <= 4),
    (_log_softmax, lambda x: 2 <= len(x.shape) <= 4),
    (_reshape, lambda x: True),
    (_product, lambda x: 2 <= len(x.shape) <= 4),
    (_gather, lambda x: 1 <= len(x.shape) <= 4),
    (lambda b, rng, x: lstm(b, x, int(rng.integers(1, 5))), lambda x: len(x.shape) == 3 and x.shape[0] == 1),
    (
        lambda b, rng, x: svdf(b, int(rng.integers(1, 4)), int(rng.integers(1, 3)), 3),
        lambda x: x.shape == (1, 8),
    ),
)
"""Each step, and whether a tensor is one that it takes."""
