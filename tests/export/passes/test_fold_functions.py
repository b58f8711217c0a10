"""Functions of single values: what layers take over, what becomes lines, and that no byte changes."""

from __future__ import annotations

import numpy as np
import pytest

from export import to_c
from export.analysis.channel_functions import VALUES, channel_functions
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.ops import Conv2D, FullyConnected, Lookup
from export.ir.validate import validate
from export.operators.elementwise.arithmetic import Arithmetic
from export.operators.elementwise.lines import Lines
from export.passes import run_passes
from export.passes.straighten import line_through
from tests.export.models.bench import Bench
from tests.export.models.model_builder import Value
from tests.export.models.networks import random_inputs

IMAGE = (1, 8, 6, 4)


class Net(Bench):
    """A network around one operator with a constant."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.image = self.builder.tensor(IMAGE, 0.05, 3)

    def with_constant(
        self, name: str, x: Value, values: list[int], scale: float, out: tuple[float, int], **options: int
    ) -> Value:
        held = self.builder.tensor((len(values),), scale, 0, data=np.array(values, np.int8))
        kind = f"{name.capitalize()}Options"
        return self.op(name, [x, held], x.shape, scale=out[0], zero_point=out[1], kind=kind, **options)

    def graphs(self, y: Value):
        """The graph as it was read and behind the passes, of which no byte may differ, nor from the reference's."""
        model = self.builder.finish(self.image, y)
        before = read_tflite(model)
        after = run_passes(before)
        validate(after)
        given = random_inputs(IMAGE[1:], 40)
        wanted = run_reference(model, given)
        np.testing.assert_array_equal(run(before, given), wanted)
        np.testing.assert_array_equal(run(after, given), wanted)
        return model, before, after


def kinds(graph) -> list[type]:
    return [type(op) for op in graph.ops]


def test_a_product_that_scales_with_its_output_is_what_the_layer_before_it_writes() -> None:
    net = Net()
    y = net.layers.conv(net.image, 4, (3, 3))
    made = net.with_constant("MUL", y, [127], 0.5 / 127, (y.scale * 0.5, y.zero_point))
    *_, after = net.graphs(made)
    assert kinds(after) == [Conv2D]


def test_a_shifted_zero_point_is_what_the_layer_before_it_writes() -> None:
    net = Net()
    y = net.layers.conv(net.image, 4, (3, 3), activation="relu")
    made = net.builder.elementwise("QUANTIZE", y, y.scale, -128)
    *_, after = net.graphs(made)
    assert kinds(after) == [Conv2D]
    assert after.ops[0].clamp[0] == -128


@pytest.mark.parametrize("layer", ["dense", "valid", "depthwise"])
def test_a_sum_that_shifts_is_a_part_of_the_layers_behind_it(layer: str) -> None:
    net = Net()
    lower = net.builder.elementwise("RELU6", net.image, 0.05, -100)
    y = net.with_constant("ADD", lower, [7, 3, 0, -9], 0.05, (0.05, -100))
    behind = {
        "dense": lambda: net.layers.dense(y, 3),
        "valid": lambda: net.layers.conv(y, 3, (2, 3), padding="VALID"),
        "depthwise": lambda: net.layers.depthwise(y, 2, (2, 2), padding="VALID"),
    }[layer]()
    *_, after = net.graphs(behind)
    assert not {Arithmetic, Lines} & set(kinds(after))


def test_padding_would_be_another_value() -> None:
    net = Net()
    lower = net.builder.elementwise("RELU6", net.image, 0.05, -100)
    y = net.with_constant("ADD", lower, [7, 3, 0, -9], 0.05, (0.05, -100))
    *_, after = net.graphs(net.layers.conv(y, 3, (3, 3), padding="SAME"))
    assert Lines in kinds(after)


def test_a_whole_factor_is_a_part_of_small_weights() -> None:
    for largest, folds in ((60, True), (100, False)):
        net = Net()
        lower = net.builder.elementwise("RELU6", net.image, 0.25, -20)  # 24 values
        y = net.with_constant("MUL", lower, [2, 1, 2, 1], 1.0, (0.25, -20))
        weights = net.rng.integers(-largest, largest + 1, (3, 2, 2, 4)).astype(np.int8)
        weights[0, 0, 0, 0] = largest
        made = net.builder.conv(
            y, weights, None, weight_scales=[0.01], scale=0.3, zero_point=4, padding="SAME"
        )
        *_, after = net.graphs(made)
        assert (kinds(after) == [Lookup, Conv2D]) == folds, kinds(after)


def test_others_that_read_it_keep_it() -> None:
    net = Net()
    y = net.with_constant(
        "ADD", net.builder.elementwise("RELU6", net.image, 0.05, -100), [7], 0.05, (0.05, -100)
    )
    dense = net.layers.dense(y, 3)
    model = net.builder.finish(net.image, [dense, y])
    before, given = read_tflite(model), random_inputs(IMAGE[1:], 20)
    after = run_passes(before)
    assert FullyConnected in kinds(after)
    for found, wanted in zip(run(after, given), run_reference(model, given), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("seed", range(12))
def test_batch_normalization_behind_a_relu_is_one_pass_of_lines(seed: int, tmp_path) -> None:
    net = Net(seed)
    rng = np.random.default_rng(seed)
    y = net.layers.conv(net.image, 5, (3, 3), activation="relu")
    factors, terms = rng.integers(-127, 128, (2, 5)).tolist()
    y = net.with_constant("MUL", y, factors, 0.02, (y.scale * float(rng.uniform(0.5, 3)), 11))
    activation = int(rng.choice([0, 1, 3]))
    y = net.with_constant(
        "ADD", y, terms, y.scale * 0.7, (y.scale * 1.3, -20), fusedActivationFunction=activation
    )
    model, _, after = net.graphs(y)
    assert kinds(after) == [Conv2D, Lines]
    assert len(after.ops[1].lines) == 2
    given = random_inputs(IMAGE[1:], 10)
    for activations in ("int16", "int8"):
        done = to_c(model, tmp_path / activations, activations=activations)
        np.testing.assert_array_equal(build_host(done.path).run(given), run_reference(model, given))
        assert done.estimate.layers[-1].kernel == "direct"


def test_lines_give_all_256_values() -> None:
    rng = np.random.default_rng(0)
    inputs = VALUES.astype(np.int64)
    found = 0
    for _ in range(200):
        slope, offset = rng.uniform(-3, 3), rng.uniform(-200, 200)
        clamp = (-128, 127) if rng.random() < 0.5 else (-20, 90)
        outputs = np.clip(np.floor(inputs * slope + offset), *clamp).astype(np.int64)
        line = line_through(outputs, clamp, 18)
        assert line is not None
        np.testing.assert_array_equal(np.clip((inputs * line[0] + line[1]) >> 18, *clamp), outputs)
        outputs[128] += 3  # off any line
        found += line_through(np.clip(outputs, *clamp), clamp, 18) is not None
    assert found < 60  # it shows only where it is not clamped away


def test_products_of_lines_fit_32_bits_like_their_sums() -> None:
    """C computes the product first, and a sum that fits does not help one that overflows."""
    inputs = VALUES.astype(np.int64)
    tried = ((slope, offset) for slope in np.linspace(4.0, 4.015, 12) for offset in (0.0, 1.0, 3.0))
    for slope, offset in tried:
        outputs = np.clip(np.floor(inputs * slope + offset), -128, 127).astype(np.int64)
        line = line_through(outputs, (-128, 127), 22)
        assert line is None or np.abs(inputs * line[0]).max() < 1 << 31


def test_functions_of_channels_are_those_of_the_operator() -> None:
    net = Net()
    y = net.with_constant("SUB", net.image, [5, -100, 127, 0], 0.04, (0.07, 9))
    graph = read_tflite(net.builder.finish(net.image, y))
    (op,) = graph.ops
    functions = channel_functions(graph, op)
    assert functions is not None
    every = np.broadcast_to(VALUES[:, None, None, None], (256, *IMAGE[1:])).copy()
    outputs = run(graph, every)
    for channel in range(4):
        np.testing.assert_array_equal(outputs[:, 0, 0, channel], functions[channel])
