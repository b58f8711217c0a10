"""A bench that adds any operator to a model by name, and the operators that keep states between inferences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.export.models.model_builder import ModelBuilder, Value
from tests.export.models.networks import Layers


class Bench:
    """Makes operators with an int8 image, a sequence and a vector to read.

    Attributes:
        builder: The model.
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

    def op(self, name: str, inputs: Sequence[Value | None], shape: Sequence[int], **how: Any) -> Value:
        """An operator of one output; the arguments are those of `ops`."""
        [out] = self.ops(name, inputs, [shape], **how)
        return out

    def ops(
        self,
        name: str,
        inputs: Sequence[Value | None],
        shapes: Sequence[Sequence[int]],
        *,
        like: Value | None = None,
        scale: float | None = None,
        zero_point: int | None = None,
        kind: str | None = None,
        **options: Any,
    ) -> list[Value]:
        """An operator of several outputs.

        Args:
            name: Of its BuiltinOperator.
            inputs: None for one that is left out.
            shapes: Of the outputs.
            like: Has the outputs' quantization where none is given; the first input by default.
            scale: Of the outputs.
            zero_point: Of the outputs.
            kind: Name of the table of its options, if it has any.
            options: The fields of that table.
        """
        first = like if like is not None else next(value for value in inputs if value is not None)
        quantization = (
            first.scale if scale is None else scale,
            first.zero_point if zero_point is None else zero_point,
        )
        outs = [self.builder.tensor(tuple(shape), *quantization) for shape in shapes]
        made = None
        if kind is not None:
            made = getattr(schema, f"{kind}T")()
            for field, value in options.items():
                setattr(made, field, value)
        indices = [-1 if value is None else value.index for value in inputs]
        self.builder.operator(name, indices, [out.index for out in outs], made)
        return outs

    def indices(self, name: str, x: Value, axis: int, shape: Sequence[int], dtype: str = "int32") -> Value:
        """ARG_MAX or ARG_MIN."""
        options = getattr(schema, "ArgMaxOptionsT" if name == "ARG_MAX" else "ArgMinOptionsT")()
        options.outputType = {"int32": 2, "int64": 4}[dtype]
        out = self.builder.tensor(shape, dtype=dtype)
        self.builder.operator(name, [x.index, self.scalar(axis).index], [out.index], options)
        return out


def lstm(b: Bench, x: Value, units: int, clip: float = 10.0, *, time_major: bool = False) -> Value:
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
    options.timeMajor = time_major
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
    return b.op("SVDF", inputs, (1, units), scale=0.4, zero_point=7, kind="SVDFOptions", **options)


def delayed(b: Bench, name: str = "ring") -> Value:
    """The vector beside its value of the inference before, which a variable keeps."""
    initial = b.rng.integers(-128, 128, b.v.shape).astype(np.int8)
    b.builder.initialized({name: initial}, b.v.scale, b.v.zero_point)
    handle = b.builder.handle(name)
    before = b.op("READ_VARIABLE", [handle], b.v.shape, like=b.v)
    joined = b.builder.concatenation([before, b.v], axis=1)
    b.builder.operator("ASSIGN_VARIABLE", [handle.index, b.v.index], [])
    return joined
