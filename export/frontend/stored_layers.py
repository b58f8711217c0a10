"""The convolutions and dense layers of a `.tflite` file whose constants can be replaced in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite as schema
from numpy.typing import NDArray

from export.errors import ModelFormatError
from export.frontend.tflite import read_tflite
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from export.reading.flatbuffer import RawGraph, RawOperator, read_model

_READ_AS = {"CONV_2D": Conv2D, "FULLY_CONNECTED": FullyConnected | Conv2D}
_WEIGHTS, _BIAS = 1, 2  # indices among the inputs


@dataclass(frozen=True)
class StoredLayer:
    """An operator of the graph and where the file holds its constants.

    Attributes:
        name: Of its weights in the file, made unique; untrusted.
        index: Of its operator in the graph.
        weights: Index of the weights' tensor in the file.
        bias: Likewise, or None.
    """

    name: str
    index: int
    weights: int
    bias: int | None


@dataclass(frozen=True)
class Constants:
    """New constants of a layer.

    Attributes:
        weights: int8, as the graph has them.
        scales: float32, one for each scale that the weights had.
        bias: int32 [output channels], or None where there is none.
        source_scale: Of the layer's input.
    """

    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.int32] | None
    source_scale: float


def stored_layers(data: bytes, graph: Graph) -> list[StoredLayer]:
    """The layers whose constants belong to them alone, so that new ones can take their place.

    Layers are left out where the graph holds the weights in another form than the file, as for grouped convolutions.

    Args:
        data: Content of a `.tflite` file.
        graph: What `read_tflite` made of it.

    Returns:
        In order of execution.
    """
    raw = read_model(data)[0]
    shared = _shared(data)
    found: list[StoredLayer] = []
    names: Counter[str] = Counter()
    start = 0
    for index, op in enumerate(graph.ops):
        if not isinstance(op, Conv2D | FullyConnected):
            continue
        operator = _stored(graph, op, raw, start)
        if operator is None:
            continue  # the graph's own, for an operator of another kind
        start = operator.index + 1
        weights = operator.inputs[_WEIGHTS]
        bias = None if op.bias is None else operator.inputs[_BIAS]
        name = raw.tensors[weights].name
        names[name] += 1
        # One scale for biases of channels with scales of their own could not follow them.
        scaled = bias is None or len(raw.tensors[bias].scales) in (0, len(raw.tensors[weights].scales))
        if scaled and not {weights, bias} & shared:
            unique = name if names[name] == 1 else f"{name}#{names[name]}"
            found.append(StoredLayer(unique, index, weights, bias))
    return found


def _stored(graph: Graph, op: Conv2D | FullyConnected, raw: RawGraph, start: int) -> RawOperator | None:
    """The first operator of the file from one on that was read as this one."""
    for operator in raw.operators[start:]:
        kind = _READ_AS.get(operator.name)
        if kind is not None and isinstance(op, kind):
            stored = raw.tensors[operator.inputs[_WEIGHTS]].data
            if stored is not None and np.array_equal(
                stored.view(np.int8), graph.constant(op.weights).ravel()
            ):
                return operator
    return None


def _shared(data: bytes) -> set[int | None]:
    """The network's tensors whose values or scales overlap those of others."""
    content = np.frombuffer(data, np.uint8)
    start = content.__array_interface__["data"][0]
    taken = np.zeros(len(data) + 1, np.int32)
    spans: dict[tuple[int, int], list[tuple[int, int]]] = {}
    model = schema.Model.GetRootAs(data, 0)
    for part in range(model.SubgraphsLength()):
        graph = model.Subgraphs(part)
        for index in range(graph.TensorsLength()):
            arrays = _arrays(model, graph.Tensors(index))
            ends = [(a.__array_interface__["data"][0] - start, a.nbytes) for a in arrays if a.nbytes]
            spans[part, index] = [(first, first + size) for first, size in ends]
            for first, size in ends:
                taken[first : first + size] += 1
    return {
        index
        for (part, index), ends in spans.items()
        if part == 0 and any(taken[first:last].max() > 1 for first, last in ends)
    }


def _arrays(model: Any, tensor: Any) -> list[NDArray[Any]]:
    """Views of a tensor's values and of its scales, where there are any."""
    quantization = tensor.Quantization()
    found = [model.Buffers(tensor.Buffer()).DataAsNumpy() if tensor.Buffer() else 0]
    found.append(quantization.ScaleAsNumpy() if quantization is not None else 0)
    return [values for values in found if isinstance(values, np.ndarray)]


def replaced(data: bytes, layers: Mapping[str, Constants], known: Sequence[StoredLayer]) -> bytes:
    """The file with other constants; all else stays as it is, byte for byte.

    Args:
        data: Content of a `.tflite` file.
        layers: New constants by the layer's name.
        known: What `stored_layers` found in the file.

    Raises:
        ModelFormatError: The file does not hold what was written, since it is damaged.
        QuantizationError: Sums can overflow with these constants.
    """
    content = bytearray(data)
    model = schema.Model.GetRootAs(content, 0)
    for layer in known:
        if layer.name not in layers:
            continue
        new = layers[layer.name]
        _write(model, layer.weights, new.weights, new.scales)
        if layer.bias is not None and new.bias is not None:
            _write(model, layer.bias, new.bias, np.float32(new.source_scale) * new.scales)
    changed = bytes(content)
    graph = read_tflite(changed)
    for layer in known:
        op = graph.ops[layer.index]
        wanted = layers.get(layer.name)
        if wanted is not None and not (
            isinstance(op, Conv2D | FullyConnected)
            and np.array_equal(graph.constant(op.weights), wanted.weights)
        ):
            raise ModelFormatError(
                f"the weights of {layer.name[:60]!r} cannot be replaced: the file is damaged; make it again"
            )
    return changed


def _write(model: Any, index: int, values: NDArray[Any], scales: NDArray[np.float32]) -> None:
    tensor = model.Subgraphs(0).Tensors(index)
    little = np.dtype(values.dtype).newbyteorder("<")
    model.Buffers(tensor.Buffer()).DataAsNumpy()[:] = np.frombuffer(values.astype(little).tobytes(), np.uint8)
    held = tensor.Quantization().ScaleAsNumpy() if tensor.Quantization() is not None else 0
    if isinstance(held, np.ndarray):
        held[:] = scales
