"""Plans a DepthwiseConv2D of multiplier 1: four channels at two positions, both halves of every word in use.

All blocks of channels that round in the same way share a kernel; weights come from the stream.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from export.kernels.direct.body import Operand, schedule_body
from export.kernels.direct.channel_blocks import consecutive_blocks
from export.kernels.direct.loops import Geometry, accumulator, write_program
from export.kernels.direct.plan import (
    ConvProblem,
    block_stream,
    epilogue_of,
    output_offsets_of,
    position_offsets,
    scaled_weights,
    shared_mode,
)
from export.kernels.language.steps import WORD, Step, step
from export.kernels.plan import Call, Kernel, Plan, Pointer

CHANNELS = 4  # of a block
_HALVES = ("MAC_LOW", "MAC_HIGH")


def plan_depthwise(problem: ConvProblem) -> Plan:
    """Plans the kernels; the problem's weights are [channels, kernel y, kernel x, 1]."""
    weights = scaled_weights(problem)[..., 0]
    mode = shared_mode(problem.finish)
    kernels: list[Kernel] = []
    shared: dict[tuple[int, ...], int] = {}
    calls: list[Call] = []
    stream: list[int] = []
    for channels in consecutive_blocks(len(weights), CHANNELS):
        operands = _operands(weights[list(channels)], problem)
        stores = output_offsets_of(problem, channels)
        if mode is None or stores not in shared:
            shared[stores] = len(kernels)
            products = _products(problem.geometry, len(channels))
            body = schedule_body(operands, position_offsets(problem.geometry), products)
            finish = [
                epilogue_of(problem, c, channels, streamed=mode is not None, mode=mode) for c in channels
            ]
            steps = write_program(problem.geometry, body.steps, body.moved, len(operands), finish)
            kernels.append(Kernel(tuple(steps)))
        input_bytes = 1 if problem.widened else 2
        first = min(problem.output_offsets[channel] for channel in channels)
        calls.append(
            Call(
                shared[stores],
                Pointer("in0", problem.source + input_bytes * channels[0]),
                Pointer("out", problem.target + first),
                Pointer("constants", WORD * len(stream)),
            )
        )
        words = [operand.word for operand in operands]
        stream += block_stream(problem, channels, words, streamed=mode is not None)
    return Plan("direct", tuple(kernels), tuple(calls), tuple(stream))


def _operands(weights: NDArray[np.int32], problem: ConvProblem) -> list[Operand]:
    """All taps of a block, two channels a word: by kernel row, pair of channels, kernel column."""
    channels, rows, columns = weights.shape
    halves = np.zeros((channels + channels % 2, rows, columns), np.uint32)
    halves[:channels] = (weights & 0xFFFF).astype(np.uint32)
    words = halves[0::2] | halves[1::2] << np.uint32(16)
    operands = []
    for ky, pair, kx in np.ndindex(rows, len(words), columns):
        offset, half = problem.pair_at(pair)
        row = ky * problem.tap_y
        word = int(words[pair, ky, kx])
        operands.append(Operand(row + kx * problem.tap_x + offset, row, pair, word, half))
    return operands


def _products(geometry: Geometry, channels: int) -> Callable[[int, int, str, str], list[Step]]:
    """Each half of a word belongs to a channel; an odd last channel has no partner."""

    def products(pair: int, position: int, x: str, weight: str) -> list[Step]:
        return [
            step(half, accumulator(channel, position, geometry.positions), x, weight)
            for channel, half in zip((2 * pair, 2 * pair + 1), _HALVES, strict=True)
            if channel < channels
        ]

    return products
