"""Models that cannot be lowered: which error, and what it says."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.frontend import read_tflite
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers


class Case:
    """A builder with an NHWC input and the pieces most cases need."""

    def __init__(self):
        self.layers = Layers(np.random.default_rng(0))
        self.builder = self.layers.builder
        self.x = self.builder.tensor((1, 6, 6, 2), 0.1, 3)

    def conv(self, weights_shape=(4, 3, 3, 2), bias=4, **changed):
        settings = {"weight_scales": [0.01], "scale": 0.2, "zero_point": 0, **changed}
        bias_values = None if bias is None else np.zeros(bias, np.int32)
        return self.builder.conv(self.x, np.ones(weights_shape, np.int8), bias_values, **settings)


def unsupported_operator(case):
    return case.builder.elementwise("FLOOR", case.layers.conv(case.x, 2), 1 / 128, 0)


def float_activations(case):
    real = case.builder.elementwise("DEQUANTIZE", case.x, 1.0, 0, dtype="float32")
    return case.builder.elementwise("RELU", real, 1.0, 0, dtype="float32")


def constant_operand(case):
    constant = case.builder.tensor((1, 6, 6, 2), 0.1, data=np.ones((1, 6, 6, 2), np.int8))
    return case.builder.pool("max", constant, (2, 2), (2, 2))


def output_of_constants(case):
    constant = case.builder.tensor((1, 4), 0.1, data=np.ones((1, 4), np.int8))
    return case.builder.add(constant, constant, 0.2, 0)


def asymmetric_weights(case):
    w = case.builder.tensor((4, 72), 0.1, 5, data=np.ones((4, 72), np.int8))
    out = case.builder.tensor((1, 4), 0.1)
    dense = case.builder.dense(
        case.x, np.ones((4, 72), np.int8), None, weight_scales=[0.1], scale=1.0, zero_point=0
    )
    options = case.builder._operators[-1].builtinOptions
    case.builder.operator("FULLY_CONNECTED", [case.x.index, w.index, -1], [out.index], options)
    assert dense.shape == out.shape
    return out


def computed_weights(case):
    y = case.layers.dense(case.x, 4)
    options = case.builder._operators[-1].builtinOptions
    out = case.builder.tensor((1, 1), 0.1)
    case.builder.operator("FULLY_CONNECTED", [y.index, y.index, -1], [out.index], options)
    return out


def concatenation_of_other_scales(case):
    y = case.builder.elementwise("QUANTIZE", case.x, 0.3, 3)
    return case.builder.concatenation([case.x, y])


def softmax_of_wrong_scale(case):
    y = case.builder.softmax(case.layers.dense(case.x, 4))
    case.builder._tensors[y.index].quantization.scale = np.array([0.01], np.float32)
    return y


def log_softmax_of_wrong_scale(case):
    y = case.builder.log_softmax(case.layers.dense(case.x, 4))
    case.builder._tensors[y.index].quantization.scale = np.array([0.01], np.float32)
    return y


def log_softmax_of_constants(case):
    y = case.layers.dense(case.x, 4)
    case.builder._tensors[y.index].quantization.scale = np.array([1e-8], np.float32)
    return case.builder.log_softmax(y)


def mean_over_far_axis(case):
    y = case.layers.mean(case.x)
    case.builder._buffers[-1].data = np.array([1, 7], np.int32).view(np.uint8)
    return y


def pack_of_nothing(case):
    y = case.builder.tensor((1, 4), 0.1, 0)
    case.builder.operator("PACK", [], [y.index], schema.PackOptionsT())
    return y


def axis_of_two_numbers(case):
    axis = case.builder.tensor((2,), dtype="int32", data=np.array([0, 1], np.int32))
    y = case.builder.tensor((1, *case.x.shape), case.x.scale, case.x.zero_point)
    case.builder.operator("EXPAND_DIMS", [case.x.index, axis.index], [y.index])
    return y


def stride_of_zero(case):
    y = case.conv()
    case.builder._operators[-1].builtinOptions.strideH = 0
    return y


def bias_of_other_scale(case):
    y = case.conv()
    case.builder._tensors[-2].quantization.scale = np.array([0.5], np.float32)
    return y


def with_quantization(tensor, scale=None, zero_point=None):
    def change(case):
        y = case.conv()
        quantization = case.builder._tensors[tensor].quantization
        if scale is not None:
            quantization.scale = np.array(scale, np.float32)
        if zero_point is not None:
            quantization.zeroPoint = np.array(zero_point, np.int64)
        return y

    return change


CASES = {
    "operator": (unsupported_operator, UnsupportedModelError, r"operator 1 \(FLOOR\) is not supported"),
    "float activations": (float_activations, QuantizationError, "full-integer"),
    "constant operand": (constant_operand, UnsupportedModelError, "is a constant"),
    "constant output": (
        lambda c: c.builder.tensor((1, 3), 0.1, data=np.ones((1, 3), np.int8)),
        UnsupportedModelError,
        "output 0 of the model is a constant",
    ),
    "output of constants": (output_of_constants, UnsupportedModelError, "does not depend on its inputs"),
    "asymmetric weights": (asymmetric_weights, QuantizationError, "zero point 0"),
    "computed weights": (computed_weights, UnsupportedModelError, "must be a constant"),
    "groups": (lambda c: c.conv((5, 3, 3, 1), bias=5), ModelFormatError, "of 2 input channels and 5 outputs"),
    "wrong bias": (lambda c: c.conv(bias=5), ModelFormatError, "bias of shape"),
    "bias scale": (bias_of_other_scale, QuantizationError, "bias scale"),
    "scales of one axis only": (
        lambda c: c.conv(weight_scales=[0.1, 0.1, 0.1]),
        QuantizationError,
        "one per output channel",
    ),
    "overflow": (lambda c: c.conv(scale=1e-12), QuantizationError, "overflow 32 bits"),
    "window": (lambda c: c.conv((4, 7, 7, 2), padding="VALID"), UnsupportedModelError, "does not fit"),
    "pack": (pack_of_nothing, ModelFormatError, "expected inputs and 1 output"),
    "axis": (axis_of_two_numbers, ModelFormatError, "input 1 must be one integer, got 2"),
    "stride": (stride_of_zero, ModelFormatError, "must be positive"),
    "add of other shapes": (
        lambda c: c.builder.add(c.x, c.layers.pool(c.x), 0.1, 0),
        ModelFormatError,
        "do not go together",
    ),
    "add of far scales": (
        lambda c: c.builder.add(c.x, c.x, 1e-9, 0),
        QuantizationError,
        "too far apart",
    ),
    "concatenation": (concatenation_of_other_scales, QuantizationError, "share one scale"),
    "softmax scale": (softmax_of_wrong_scale, QuantizationError, "1/256"),
    "softmax classes": (
        lambda c: c.builder.softmax(c.layers.dense(c.x, 4096)),
        UnsupportedModelError,
        "at most 4095",
    ),
    "log softmax scale": (log_softmax_of_wrong_scale, QuantizationError, "1/16"),
    "log softmax input scale": (log_softmax_of_constants, QuantizationError, "almost constant"),
    "log softmax classes": (
        lambda c: c.builder.log_softmax(c.layers.dense(c.x, 4096)),
        UnsupportedModelError,
        "at most 4095",
    ),
    "mean": (mean_over_far_axis, ModelFormatError, "axis 7 of 4 dimensions"),
    "reshape": (lambda c: c.builder.reshape(c.x, (1, 71)), ModelFormatError, "72 elements"),
    "dense of another size": (
        lambda c: c.builder.dense(
            c.x, np.ones((4, 5), np.int8), None, weight_scales=[0.1], scale=1.0, zero_point=0
        ),
        ModelFormatError,
        "for an input of shape",
    ),
    "requantize": (
        lambda c: c.builder.elementwise("QUANTIZE", c.x, 1e-12, 0),
        QuantizationError,
        "too far apart",
    ),
    "no scale": (with_quantization(0, scale=[]), QuantizationError, "0 scales"),
    "zero scale": (with_quantization(0, scale=[0.0]), QuantizationError, "not a positive number"),
    "nan scale": (with_quantization(1, scale=[np.nan]), QuantizationError, "not a positive number"),
    "zero point": (with_quantization(0, zero_point=[300]), QuantizationError, "zero point"),
}


@pytest.mark.parametrize(("recipe", "error", "message"), CASES.values(), ids=CASES)
def test_error(recipe, error, message):
    case = Case()
    model = case.builder.finish(case.x, recipe(case))
    with pytest.raises(error, match=message):
        read_tflite(model)


def test_all_that_is_in_the_way():
    case = Case()
    y = case.builder.elementwise("FLOOR", case.layers.conv(case.x, 2), 1 / 128, 0)
    y = case.builder.elementwise("FLOOR", case.layers.conv(y, 3), 1 / 128, 0)
    real = case.builder.elementwise("DEQUANTIZE", y, 1.0, 0, dtype="float32")
    last = case.builder.elementwise("LOG_SOFTMAX", real, 1.0, 0, dtype="float32")
    with pytest.raises(UnsupportedModelError) as raised:
        read_tflite(case.builder.finish(case.x, last))
    first, *lines = str(raised.value).splitlines()
    assert first == "3 things in the model are in the way:"
    starts = [
        "  operator 1 (FLOOR) is not supported; expected one of ADD,",
        "  operator 3 (FLOOR) is not supported; expected one of ADD,",
        "  operator 5 (LOG_SOFTMAX) computes in float32; convert",
    ]
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_a_float_model():
    builder = ModelBuilder()
    x = builder.tensor((1, 4), dtype="float32")
    with pytest.raises(QuantizationError, match="the input is float32"):
        read_tflite(builder.finish(x, builder.elementwise("RELU", x, 1.0, 0, dtype="float32")))


def test_an_input_of_unknown_size():
    builder = ModelBuilder()
    x = builder.tensor((1, -1, -1, 3), 0.1)
    with pytest.raises(UnsupportedModelError, match="must be fixed"):
        read_tflite(builder.finish(x, builder.elementwise("RELU", x, 0.1, 0)))
