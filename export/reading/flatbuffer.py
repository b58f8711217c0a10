"""Reads a TFLite flatbuffer into plain records.

Every offset and length of the file is untrusted. Python's bounds checks keep reads inside the file; what they
miss is checked here: lengths are charged against the size of the file, so that overlapping vectors cannot
make a small file cost much time or memory. Modules that patch or convert files read flatbuffers again, after this one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite as schema
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from keras_approx.text import plural

_MAX_RANK = 8
# A well-formed file stores each vector and table once; writers may share a few.
_SHARING = 2
_TABLE_BYTES = 48  # what a tensor or an operator takes at least
_EXTERNAL_BUFFER = (
    24  # the field of a tensor that names a buffer outside the file, which the schema package lacks
)
_OPTIONS: dict[str, tuple[str, ...]] = {
    "Conv2DOptions": (
        "Padding",
        "StrideW",
        "StrideH",
        "FusedActivationFunction",
        "DilationWFactor",
        "DilationHFactor",
    ),
    "DepthwiseConv2DOptions": (
        "Padding",
        "StrideW",
        "StrideH",
        "DepthMultiplier",
        "FusedActivationFunction",
        "DilationWFactor",
        "DilationHFactor",
    ),
    "FullyConnectedOptions": ("FusedActivationFunction", "WeightsFormat", "KeepNumDims"),
    "Pool2DOptions": (
        "Padding",
        "StrideW",
        "StrideH",
        "FilterWidth",
        "FilterHeight",
        "FusedActivationFunction",
    ),
    "AddOptions": ("FusedActivationFunction",),
    "ConcatenationOptions": ("Axis", "FusedActivationFunction"),
    "ReducerOptions": ("KeepDims",),
    "SoftmaxOptions": ("Beta",),
    "ReshapeOptions": ("NewShapeAsNumpy",),
    "PackOptions": ("Axis", "ValuesCount"),
    "StridedSliceOptions": (
        "BeginMask",
        "EndMask",
        "EllipsisMask",
        "NewAxisMask",
        "ShrinkAxisMask",
        "Offset",
    ),
    "MulOptions": ("FusedActivationFunction",),
    "SubOptions": ("FusedActivationFunction",),
    "LeakyReluOptions": ("Alpha",),
    "SplitOptions": ("NumSplits",),
    "SplitVOptions": ("NumSplits",),
    "UnpackOptions": ("Axis", "Num"),
    "SqueezeOptions": ("SqueezeDimsAsNumpy",),
    "MirrorPadOptions": ("Mode",),
    "ResizeNearestNeighborOptions": ("AlignCorners", "HalfPixelCenters"),
    "ResizeBilinearOptions": ("AlignCorners", "HalfPixelCenters"),
    "TransposeConvOptions": ("Padding", "StrideW", "StrideH", "FusedActivationFunction"),
    "DepthToSpaceOptions": ("BlockSize",),
    "SpaceToDepthOptions": ("BlockSize",),
    "ArgMaxOptions": ("OutputType",),
    "ArgMinOptions": ("OutputType",),
    "GatherOptions": ("Axis", "BatchDims"),
    "BatchMatMulOptions": ("AdjX", "AdjY"),
    "VarHandleOptions": ("Container", "SharedName"),
    "CallOnceOptions": ("InitSubgraphIndex",),
    "SVDFOptions": ("Rank", "FusedActivationFunction"),
    "UnidirectionalSequenceLSTMOptions": (
        "FusedActivationFunction",
        "CellClip",
        "TimeMajor",
        "DiagonalRecurrentTensors",
    ),
}


@dataclass(frozen=True)
class RawTensor:
    """A tensor as stored.

    Attributes:
        shape: -1 is a dynamic dimension.
        data: None for activations.
        variable: Whether it keeps its value from one inference to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: NDArray[np.uint8] | None
    sparse: bool
    variable: bool


@dataclass(frozen=True)
class RawOperator:
    """An operator as stored; an index of -1 in `inputs` is an absent optional input."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: str
    options: Mapping[str, Any]
    intermediates: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"operator {self.index} ({self.name})"


@dataclass(frozen=True)
class RawGraph:
    """A subgraph as stored.

    Attributes:
        tensors: Its tensors.
        operators: In execution order.
        inputs: Indices of tensors.
        outputs: Likewise.
        end_names: What its signature calls inputs and outputs, by index of the tensor.
    """

    tensors: tuple[RawTensor, ...]
    operators: tuple[RawOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    end_names: Mapping[int, str]


def read_model(data: bytes) -> tuple[RawGraph, ...]:
    """Parses the bytes of a `.tflite` file.

    Returns:
        Its subgraphs; the first is the network, others are called by its operators.

    Raises:
        ModelFormatError: Not a TFLite file, truncated or damaged.
        UnsupportedModelError: Weights kept outside the flatbuffer.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ModelFormatError(
            f"expected the content of a .tflite file as bytes, got {type(data).__name__}: read the file first, with "
            "pathlib.Path(path).read_bytes()"
        )
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise ModelFormatError(
            f"expected a TFLite flatbuffer (file identifier 'TFL3'), got {plural(len(data), 'byte')} starting with "
            f"{bytes(data[:8])!r}; pass the content of a .tflite file"
        )
    with _damage_reported(len(data)):
        return _Reader(bytes(data)).subgraphs()


@contextmanager
def _damage_reported(size: int) -> Iterator[None]:
    """Turns what the flatbuffer library raises on bad offsets, lengths and strings into our error."""
    try:
        yield
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        if isinstance(error, ModelFormatError | UnsupportedModelError):
            raise
        raise ModelFormatError(
            f"the TFLite file ({size} bytes) is damaged or truncated: {error}; make or download it again"
        ) from error


def _damaged(what: str) -> ModelFormatError:
    return ModelFormatError(f"the TFLite file is damaged: {what}; make or download it again")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._model = schema.Model.GetRootAs(data, 0)
        self._budget = _SHARING * len(data)
        self._types = {v: k.lower() for k, v in vars(schema.TensorType).items() if k.isupper()}
        self._operators = {v: k for k, v in vars(schema.BuiltinOperator).items() if k[0].isupper()}
        self._options = {v: k for k, v in vars(schema.BuiltinOptions).items() if k[0].isupper()}

    def subgraphs(self) -> tuple[RawGraph, ...]:
        model = self._model
        if model.Version() != 3:
            raise _damaged(f"schema version 3 expected, got {model.Version()}")
        if model.SubgraphsLength() < 1:
            raise _damaged("it holds no subgraph")
        codes = [self._code(i) for i in range(self._charged(model.OperatorCodesLength(), 4))]
        return tuple(
            self._graph(model.Subgraphs(i), codes, self._end_names(i))
            for i in range(self._charged(model.SubgraphsLength(), _TABLE_BYTES))
        )

    def _end_names(self, subgraph: int) -> dict[int, str]:
        """What the first signature that calls a subgraph calls its inputs and outputs, by tensor."""
        model = self._model
        for number in range(self._charged(model.SignatureDefsLength(), _TABLE_BYTES)):
            signature = model.SignatureDefs(number)
            if signature.SubgraphIndex() == subgraph:
                inputs = self._charged(signature.InputsLength(), _TABLE_BYTES)
                outputs = self._charged(signature.OutputsLength(), _TABLE_BYTES)
                ends = [*map(signature.Inputs, range(inputs)), *map(signature.Outputs, range(outputs))]
                return {end.TensorIndex(): self._text(end.Name()) for end in ends}
        return {}

    def _graph(self, graph: Any, codes: list[str], end_names: dict[int, str]) -> RawGraph:
        tensors = tuple(
            self._tensor(graph.Tensors(i)) for i in range(self._charged(graph.TensorsLength(), _TABLE_BYTES))
        )
        operators = tuple(
            self._operator(i, graph.Operators(i), codes, len(tensors))
            for i in range(self._charged(graph.OperatorsLength(), _TABLE_BYTES))
        )
        inputs = self._indices(graph.InputsAsNumpy(), len(tensors), 0)
        outputs = self._indices(graph.OutputsAsNumpy(), len(tensors), 0)
        return RawGraph(tensors, operators, inputs, outputs, end_names)

    def _charged(self, length: int, item_bytes: int) -> int:
        self._budget -= length * item_bytes
        if length < 0 or self._budget < 0:
            raise _damaged("its vectors overlap or are longer than the file")
        return length

    def _vector(self, values: Any, item_bytes: int) -> NDArray[Any]:
        """A vector read by the library, which returns 0 for an absent one."""
        if not isinstance(values, np.ndarray):
            return np.zeros(0, np.int64)
        self._charged(len(values), item_bytes)
        return values

    def _indices(self, values: Any, count: int, lowest: int) -> tuple[int, ...]:
        indices = tuple(self._vector(values, 4).tolist())
        for index in indices:
            if not lowest <= index < count:
                raise _damaged(f"tensor index {index} is not in {lowest} .. {count - 1}")
        return indices

    def _code(self, index: int) -> str:
        code = self._model.OperatorCodes(index)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._operators.get(number, f"operator code {number}")
        if name == "CUSTOM":
            return f"CUSTOM {self._text(code.CustomCode())[:60]!r}"
        return name

    def _text(self, text: bytes | None) -> str:
        self._charged(len(text or b""), 1)
        return (text or b"").decode("utf-8", "replace")

    def _tensor(self, tensor: Any) -> RawTensor:
        shape = self._vector(tensor.ShapeAsNumpy(), 4)
        signature = self._vector(tensor.ShapeSignatureAsNumpy(), 4)
        if len(shape) > _MAX_RANK:
            raise _damaged(f"a tensor of {len(shape)} dimensions")
        if len(signature) == len(shape):
            shape = signature
        dtype = self._types.get(tensor.Type())
        if dtype is None:
            raise _damaged(f"tensor type {tensor.Type()}")
        quantization = tensor.Quantization()
        scales: NDArray[Any] = np.zeros(0)
        zero_points: NDArray[Any] = np.zeros(0, np.int64)
        if quantization is not None:
            scales = self._vector(quantization.ScaleAsNumpy(), 4)
            zero_points = self._vector(quantization.ZeroPointAsNumpy(), 8)
        return RawTensor(
            name=self._text(tensor.Name()),
            shape=tuple(shape.tolist()),
            dtype=dtype,
            scales=tuple(scales.tolist()),
            zero_points=tuple(zero_points.tolist()),
            axis=0 if quantization is None else quantization.QuantizedDimension(),
            data=self._buffer(tensor),
            sparse=tensor.Sparsity() is not None,
            variable=bool(tensor.IsVariable()),
        )

    def _buffer(self, tensor: Any) -> NDArray[np.uint8] | None:
        index = tensor.Buffer()
        if not 0 <= index < max(self._model.BuffersLength(), 1):
            raise _damaged(f"buffer index {index} of {self._model.BuffersLength()}")
        if index == 0:
            return None
        buffer = self._model.Buffers(index)
        if buffer.Offset() > 1 or tensor._tab.Offset(_EXTERNAL_BUFFER):
            raise UnsupportedModelError(
                "expected constants stored inside the flatbuffer, got one stored outside; convert the model "
                "without the option for models over 2 GB"
            )
        data = self._vector(buffer.DataAsNumpy(), 1)
        return data if len(data) else None

    def _operator(self, index: int, operator: Any, codes: list[str], tensors: int) -> RawOperator:
        if not 0 <= operator.OpcodeIndex() < len(codes):
            raise _damaged(f"operator code index {operator.OpcodeIndex()} of {len(codes)}")
        options_type = self._options.get(operator.BuiltinOptionsType(), "")
        return RawOperator(
            index=index,
            name=codes[operator.OpcodeIndex()],
            inputs=self._indices(operator.InputsAsNumpy(), tensors, -1),
            outputs=self._indices(operator.OutputsAsNumpy(), tensors, 0),
            options_type=options_type,
            options=self._read_options(operator, options_type),
            intermediates=self._indices(operator.IntermediatesAsNumpy(), tensors, -1),
        )

    def _read_options(self, operator: Any, options_type: str) -> dict[str, Any]:
        table = operator.BuiltinOptions()
        if table is None or options_type not in _OPTIONS:
            return {}
        options = getattr(schema, options_type)()
        options.Init(table.Bytes, table.Pos)
        values: dict[str, Any] = {}
        for name in _OPTIONS[options_type]:
            value = getattr(options, name)()
            if name.endswith("AsNumpy"):
                value = tuple(self._vector(value, 4).tolist())
            elif isinstance(value, bytes):
                value = self._text(value)
            values[name.removesuffix("AsNumpy")] = value
        return values
