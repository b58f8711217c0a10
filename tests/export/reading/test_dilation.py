"""Dilated convolutions as converters write them for open batch sizes: exact, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.analysis.interpreter import run
from export.errors import UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.ops import Conv2D, DepthwiseConv2D
from tests.export.models.model_builder import ModelBuilder, Value
from tests.export.models.networks import random_inputs

SIZE, CHANNELS = (8, 9), 2


class Written:
    """A model of the three operators.

    Args:
        block: The dilation.
        pads: Before and after rows, before and after columns.
        crops: Likewise.
        kernel: Rows and columns.
        depthwise: Which kind of convolution.
        moved: What is added to the zero point between the operators.
    """

    def __init__(
        self,
        block: tuple[int, int],
        pads: tuple[int, int, int, int],
        crops: tuple[int, int, int, int] = (0, 0, 0, 0),
        *,
        kernel: tuple[int, int] = (3, 3),
        depthwise: bool = False,
        moved: int = 0,
    ) -> None:
        self.builder = ModelBuilder()
        rng = np.random.default_rng(0)
        self.x = self.builder.tensor((1, *SIZE, CHANNELS), 0.1, 5)
        padded = [SIZE[i] + pads[2 * i] + pads[2 * i + 1] for i in range(2)]
        dealt = (block[0] * block[1], *(padded[i] // block[i] for i in range(2)), CHANNELS)
        self.split = self._move("SPACE_TO_BATCH_ND", self.x, block, pads, dealt, moved)
        shape = (1, *kernel, CHANNELS) if depthwise else (4, *kernel, CHANNELS)
        channels = shape[3] if depthwise else shape[0]
        self.middle = self.builder.conv(
            self.split,
            rng.integers(-127, 128, shape).astype(np.int8),
            rng.integers(-2000, 2000, channels).astype(np.int32),
            weight_scales=[0.01] * channels,
            scale=0.3,
            zero_point=-7,
            padding="VALID",
            multiplier=1 if depthwise else None,
        )
        whole = [self.middle.shape[1 + i] * block[i] - crops[2 * i] - crops[2 * i + 1] for i in range(2)]
        self.y = self._move("BATCH_TO_SPACE_ND", self.middle, block, crops, (1, *whole, channels), 0)

    def _move(
        self,
        name: str,
        x: Value,
        block: tuple[int, int],
        ends: tuple[int, int, int, int],
        shape: tuple[int, ...],
        moved: int,
    ) -> Value:
        sizes = self.builder.tensor((2,), dtype="int32", data=np.array(block, np.int32))
        amounts = self.builder.tensor((2, 2), dtype="int32", data=np.array(ends, np.int32).reshape(2, 2))
        out = self.builder.tensor(shape, x.scale, x.zero_point + moved)
        options = (
            schema.SpaceToBatchNDOptionsT() if name.startswith("SPACE") else schema.BatchToSpaceNDOptionsT()
        )
        self.builder.operator(name, [x.index, sizes.index, amounts.index], [out.index], options)
        return out


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("block", "pads", "crops", "kernel"),
    [
        ((2, 3), (0, 0, 0, 0), (0, 0, 0, 0), (3, 2)),  # VALID
        ((2, 2), (2, 2, 2, 3), (0, 0, 0, 1), (3, 3)),  # SAME, one column more to make the block
        ((3, 2), (3, 4, 1, 2), (0, 1, 0, 1), (3, 2)),
        ((4, 4), (4, 4, 5, 6), (1, 3, 1, 2), (3, 3)),
        ((1, 3), (0, 0, 3, 3), (0, 0, 0, 0), (1, 3)),
    ],
)
def test_the_three_are_one_dilated_convolution(
    block: tuple[int, int],
    pads: tuple[int, int, int, int],
    crops: tuple[int, int, int, int],
    kernel: tuple[int, int],
    depthwise: bool,
) -> None:
    made = Written(block, pads, crops, kernel=kernel, depthwise=depthwise)
    data = made.builder.finish(made.x, made.y)
    graph = read_tflite(data)
    (op,) = graph.ops
    assert isinstance(op, DepthwiseConv2D if depthwise else Conv2D)
    assert op.dilation == block
    assert graph.tensors[graph.output].shape == made.y.shape
    inputs = random_inputs((*SIZE, CHANNELS), 6)
    np.testing.assert_array_equal(run(graph, inputs), run_reference(data, inputs))


def test_others_are_refused_with_what_to_do() -> None:
    moved = Written((2, 3), (0, 0, 0, 0), moved=1)
    uncropped = Written((2, 3), (0, 0, 0, 0), (1, 0, 0, 0))
    for made in (moved, uncropped):
        with pytest.raises(UnsupportedModelError, match=r"around one convolution.*fixed batch size of 1"):
            read_tflite(made.builder.finish(made.x, made.y))
    shared = Written((2, 3), (0, 0, 0, 0))
    with pytest.raises(UnsupportedModelError, match="around one convolution"):
        read_tflite(shared.builder.finish(shared.x, [shared.y, shared.middle]))
