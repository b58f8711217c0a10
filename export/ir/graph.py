"""The graph: tensors, operators in execution order, one input and one output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from export.ir.ops import Op
from export.ir.tensor import Tensor


@dataclass(frozen=True)
class Graph:
    """An int8 network.

    Attributes:
        tensors: all tensors, activations and constants.
        ops: in execution order; each activation is written once, before it is read.
        input: index of the int8 input tensor.
        output: index of the int8 output tensor.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    input: int
    output: int

    def constant(self, tensor: int) -> NDArray[Any]:
        """The values of a constant."""
        data = self.tensors[tensor].data
        if data is None:
            raise ValueError(f"tensor {self.tensors[tensor].name!r} is not a constant")
        return data

    def producer(self, tensor: int) -> Op | None:
        """The operator that writes a tensor; None for the input and for constants."""
        return next((op for op in self.ops if op.output == tensor), None)

    def consumers(self, tensor: int) -> tuple[Op, ...]:
        """The operators that read a tensor as an activation, in execution order."""
        return tuple(op for op in self.ops if tensor in op.inputs)
