"""How TFLite's operators that move values are read: as a `Move` each, or a reshape."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.ops import Op, Reshape
from export.operators.movement.move import elements, moved
from export.operators.movement.shape_values import strided_slice_of_shape
from export.operators.operator import Alias
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering, check_size
from export.reading.slices import sliced
from keras_approx.text import plural

_MAX_BLOCK = 1 << 16


def axis_of(op: RawOperator, axis: int, rank: int) -> int:
    """A dimension that may be counted from the end."""
    if not -rank <= axis < rank:
        raise ModelFormatError(f"{op}: axis {axis} of {plural(rank, 'dimension')}; the file is damaged")
    return axis % rank


def _transpose(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source = state.operand(op)
    rank = len(state.shape(source))
    order = [axis_of(op, axis, rank) for axis in state.integers(op, 1).reshape(-1).tolist()]
    if sorted(order) != list(range(rank)):
        raise ModelFormatError(
            f"{op}: {order} is no order of {plural(rank, 'dimension')}; the file is damaged"
        )
    return moved(state, op, source, elements(state, source).transpose(order))


def _strided_slice(state: Lowering, op: RawOperator) -> Op | None:
    state.arity(op, 4)
    if state.is_integer(op, 0):
        strided_slice_of_shape(state, op)
        return None
    source = state.operand(op)
    return moved(state, op, source, sliced(state, op, elements(state, source)))


def _slice(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 3)
    source = state.operand(op)
    shape = state.shape(source)
    begin, size = (state.integers(op, position).reshape(-1).tolist() for position in (1, 2))
    if not len(begin) == len(size) == len(shape):
        raise ModelFormatError(f"{op}: begin {begin} and size {size} of shape {shape}; the file is damaged")
    ends = [
        length if count == -1 else start + count
        for start, count, length in zip(begin, size, shape, strict=True)
    ]
    if any(not 0 <= start < end <= length for start, end, length in zip(begin, ends, shape, strict=True)):
        raise ModelFormatError(
            f"{op}: begin {begin} and size {size} are not within {shape}; the file is damaged"
        )
    cut = tuple(slice(start, end) for start, end in zip(begin, ends, strict=True))
    found = elements(state, source)[cut]
    stored = state.raw.tensors[op.outputs[0]].shape
    if len(stored) != found.ndim or any(n not in (-1, m) for n, m in zip(stored, found.shape, strict=True)):
        raise ModelFormatError(f"{op}: its output has shape {found.shape}, not {stored}; the file is damaged")
    return moved(state, op, source, found)


def _split(state: Lowering, op: RawOperator) -> Iterable[Op]:
    if len(op.inputs) != 2 or not op.outputs:
        raise ModelFormatError(f"{op}: expected 2 inputs and outputs; the file is damaged")
    state.count(op, "SplitOptions", "NumSplits", len(op.outputs))
    source = state.operand(op, 1)
    index = elements(state, source)
    axis = axis_of(op, state.integer(op, 0), index.ndim)
    if index.shape[axis] % len(op.outputs):
        raise ModelFormatError(
            f"{op}: {plural(index.shape[axis], 'element')} cannot be split into {len(op.outputs)}; the file is damaged"
        )
    parts = np.split(index, len(op.outputs), axis)
    return [moved(state, op, source, part, number) for number, part in enumerate(parts)]


def _split_v(state: Lowering, op: RawOperator) -> Iterable[Op]:
    if len(op.inputs) != 3 or not op.outputs:
        raise ModelFormatError(f"{op}: expected 3 inputs and outputs; the file is damaged")
    state.count(op, "SplitVOptions", "NumSplits", len(op.outputs))
    source = state.operand(op)
    index = elements(state, source)
    axis = axis_of(op, state.integer(op, 2), index.ndim)
    sizes = state.integers(op, 1).reshape(-1).tolist()
    if sizes.count(-1) == 1:
        rest = index.shape[axis] - sum(size for size in sizes if size != -1)
        sizes = [rest if size == -1 else size for size in sizes]
    if len(sizes) != len(op.outputs) or min(sizes) < 1 or sum(sizes) != index.shape[axis]:
        raise ModelFormatError(
            f"{op}: {plural(index.shape[axis], 'element')} cannot be split into {sizes}; the file is damaged"
        )
    parts = np.split(index, np.cumsum(sizes)[:-1], axis)
    return [moved(state, op, source, part, number) for number, part in enumerate(parts)]


def _unpack(state: Lowering, op: RawOperator) -> Iterable[Op]:
    if len(op.inputs) != 1:
        raise ModelFormatError(f"{op}: expected 1 input; the file is damaged")
    state.count(op, "UnpackOptions", "Num", len(op.outputs))
    source = state.operand(op)
    index = elements(state, source)
    axis = axis_of(op, state.option(op, "UnpackOptions", "Axis"), index.ndim)
    if index.shape[axis] != len(op.outputs):
        raise ModelFormatError(
            f"{op}: {plural(len(op.outputs), 'output')} for {plural(index.shape[axis], 'element')}; the file is damaged"
        )
    return [
        moved(state, op, source, np.asarray(index.take(number, axis)), number)
        for number in range(index.shape[axis])
    ]


def _tile(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source = state.operand(op)
    index = elements(state, source)
    repeats = state.integers(op, 1).reshape(-1).tolist()
    if len(repeats) != index.ndim or min(repeats, default=1) < 1:
        raise ModelFormatError(
            f"{op}: {repeats} repeats of {plural(index.ndim, 'dimension')}; the file is damaged"
        )
    check_size(str(op), [n * count for n, count in zip(index.shape, repeats, strict=True)])
    return moved(state, op, source, np.tile(index, repeats))


def _broadcast_to(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source = state.operand(op)
    shape = state.integers(op, 1).reshape(-1).tolist()
    check_size(str(op), shape)
    try:
        index = np.broadcast_to(elements(state, source), shape)
    except ValueError:
        raise ModelFormatError(
            f"{op}: shape {state.shape(source)} cannot be broadcast to {shape}; the file is damaged"
        ) from None
    return moved(state, op, source, index)


def _gather(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    if not state.is_constant(op, 1):
        raise UnsupportedModelError(f"{op}: the indices must be a constant")
    source = state.operand(op)
    index = elements(state, source)
    axis = axis_of(op, state.option(op, "GatherOptions", "Axis"), index.ndim)
    if state.option(op, "GatherOptions", "BatchDims") != 0:
        raise UnsupportedModelError(f"{op}: batch dimensions are not supported")
    wanted = state.integers(op, 1)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < index.shape[axis]:
        raise ModelFormatError(f"{op}: indices outside 0 .. {index.shape[axis] - 1}; the file is damaged")
    check_size(str(op), (*index.shape[:axis], *wanted.shape, *index.shape[axis + 1 :]))
    return moved(state, op, source, index.take(wanted, axis))


def _reverse(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source = state.operand(op)
    index = elements(state, source)
    axes = tuple(axis_of(op, axis, index.ndim) for axis in state.integers(op, 1).reshape(-1).tolist())
    if len(set(axes)) < len(axes):
        raise ModelFormatError(f"{op}: axes {list(axes)} are not different ones; the file is damaged")
    return moved(state, op, source, np.flip(index, axes))


def _mirror_pad(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source = state.operand(op)
    index = elements(state, source)
    amounts = state.integers(op, 1)
    mode = state.option(op, "MirrorPadOptions", "Mode")
    reach = np.array(index.shape) - (1 if mode == 0 else 0)
    if (
        amounts.shape != (index.ndim, 2)
        or mode not in (0, 1)
        or amounts.min() < 0
        or (amounts > reach[:, None]).any()
    ):
        raise ModelFormatError(
            f"{op}: paddings {amounts.tolist()} of shape {index.shape}; the file is damaged"
        )
    check_size(str(op), (np.array(index.shape) + amounts.sum(axis=1)).tolist())
    padded = np.pad(index, amounts.tolist(), "reflect" if mode == 0 else "symmetric")
    return moved(state, op, source, padded)


def _resize_nearest(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source, _ = state.image(op)
    index = elements(state, source)
    corners, centers = (
        bool(state.option(op, "ResizeNearestNeighborOptions", name))
        for name in ("AlignCorners", "HalfPixelCenters")
    )
    rows, columns = (
        _nearest(before, after, corners, centers)
        for before, after in zip(index.shape[1:3], resized(state, op), strict=True)
    )
    return moved(state, op, source, index[:, rows[:, None], columns])


def resized(state: Lowering, op: RawOperator) -> tuple[int, int]:
    """The size a RESIZE operator wants, height and width."""
    size = state.integers(op, 1).reshape(-1).tolist()
    if len(size) != 2 or min(size) < 1:
        raise ModelFormatError(f"{op}: expected a height and a width, got {size}; the file is damaged")
    batch, _, _, depth = state.shape(state.image(op)[0])
    check_size(str(op), (batch, *size, depth))
    return size[0], size[1]


def _nearest(before: int, after: int, corners: bool, centers: bool) -> NDArray[np.int64]:
    """Which element each new one is, computed in single precision as the kernel does."""
    at = np.arange(after, dtype=np.float32) + np.float32(0.5 if centers else 0)
    if corners and after > 1:
        scale = np.float32(before - 1) / np.float32(after - 1)
    else:
        scale = np.float32(before) / np.float32(after)
    found = np.floor(at * scale + np.float32(0.5)) if corners else np.floor(at * scale)
    return np.clip(found.astype(np.int64), 0, before - 1)


def _depth_to_space(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source, x = state.image(op)
    block = _block(state, op, "DepthToSpaceOptions")
    _, height, width, depth = x.shape
    if depth % (block * block):
        raise ModelFormatError(
            f"{op}: blocks of {block} do not fit {plural(depth, 'channel')}; the file is damaged"
        )
    parts = elements(state, source).reshape(height, width, block, block, -1).transpose(0, 2, 1, 3, 4)
    return moved(state, op, source, parts.reshape(1, height * block, width * block, -1))


def _space_to_depth(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source, x = state.image(op)
    block = _block(state, op, "SpaceToDepthOptions")
    _, height, width, depth = x.shape
    if height % block or width % block:
        raise ModelFormatError(f"{op}: blocks of {block} do not fit {height} x {width}; the file is damaged")
    parts = elements(state, source).reshape(height // block, block, width // block, block, depth)
    parts = parts.transpose(0, 2, 1, 3, 4)
    return moved(state, op, source, parts.reshape(1, height // block, width // block, -1))


def _block(state: Lowering, op: RawOperator, options_type: str) -> int:
    block = int(state.option(op, options_type, "BlockSize"))
    if not 1 <= block <= _MAX_BLOCK:
        raise ModelFormatError(f"{op}: blocks of {block}; the file is damaged")
    return block


def _expand_dims(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source = state.operand(op)
    shape = list(state.shape(source))
    axis = axis_of(op, state.integer(op, 1), len(shape) + 1)
    return _reshaped(state, op, source, (*shape[:axis], 1, *shape[axis:]))


def _squeeze(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.operand(op)
    shape = state.shape(source)
    named = state.option(op, "SqueezeOptions", "SqueezeDims")
    axes = {axis_of(op, axis, len(shape)) for axis in named} or {
        axis for axis, extent in enumerate(shape) if extent == 1
    }
    if any(shape[axis] != 1 for axis in axes):
        raise ModelFormatError(
            f"{op}: cannot leave out dimensions {sorted(axes)} of {shape}; the file is damaged"
        )
    return _reshaped(state, op, source, tuple(n for axis, n in enumerate(shape) if axis not in axes))


def _reshaped(state: Lowering, op: RawOperator, source: int, shape: tuple[int, ...]) -> Op:
    output = state.define(op, shape)
    state.same_quantization(op, source, output)
    return Reshape((source,), output)


MOVES = Alias(
    {
        "BROADCAST_TO": _broadcast_to,
        "DEPTH_TO_SPACE": _depth_to_space,
        "GATHER": _gather,
        "MIRROR_PAD": _mirror_pad,
        "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
        "REVERSE_V2": _reverse,
        "SLICE": _slice,
        "SPACE_TO_DEPTH": _space_to_depth,
        "SPLIT": _split,
        "SPLIT_V": _split_v,
        "STRIDED_SLICE": _strided_slice,
        "TILE": _tile,
        "TRANSPOSE": _transpose,
        "UNPACK": _unpack,
    },
    "any dimensions; places, sizes and orders are constants",
)
RESHAPES = Alias({"EXPAND_DIMS": _expand_dims, "SQUEEZE": _squeeze}, "any dimensions; as a reshape")
