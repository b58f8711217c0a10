"""The graph: tensors, operators in execution order, inputs, outputs, and what is kept between inferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from export.ir.ops import Op
from export.ir.tensor import Tensor


@dataclass(frozen=True)
class State:
    """A tensor that is kept from one inference to the next.

    Attributes:
        read: The activation that holds it during an inference.
        written: The tensor whose value it takes at the end of the inference; None where an operator that reads it
            updates it in place.
        initial: The value it starts from, of the shape of `read`.
    """

    read: int
    written: int | None
    initial: NDArray[Any]


@dataclass(frozen=True)
class Graph:
    """An int8 network.

    Attributes:
        tensors: All tensors, activations and constants.
        ops: In execution order; each activation is written once, before it is read.
        inputs: Indices of the int8 input tensors.
        outputs: Indices of the output tensors.
        states: What is kept from one inference to the next.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    states: tuple[State, ...] = ()

    @property
    def input(self) -> int:
        """The only input."""
        if len(self.inputs) != 1:
            raise ValueError(f"one input expected, got {len(self.inputs)}")
        return self.inputs[0]

    @property
    def output(self) -> int:
        """The only output."""
        if len(self.outputs) != 1:
            raise ValueError(f"one output expected, got {len(self.outputs)}")
        return self.outputs[0]

    @property
    def sources(self) -> tuple[int, ...]:
        """The activations that are there before the first operator runs: inputs and states."""
        return (*self.inputs, *(state.read for state in self.states))

    @property
    def results(self) -> tuple[int, ...]:
        """The tensors that are wanted after the last operator: outputs and new values of states."""
        return (*self.outputs, *(state.written for state in self.states if state.written is not None))

    def is_constant(self, tensor: int) -> bool:
        return self.tensors[tensor].data is not None

    def constant(self, tensor: int) -> NDArray[Any]:
        """The values of a constant."""
        data = self.tensors[tensor].data
        if data is None:
            raise ValueError(f"tensor {self.tensors[tensor].name!r} is not a constant")
        return data

    def producer(self, tensor: int) -> Op | None:
        """The operator that writes a tensor; None for inputs, states and constants."""
        return next((op for op in self.ops if op.output == tensor), None)

    def consumers(self, tensor: int) -> tuple[Op, ...]:
        """The operators that read a tensor as an activation, in execution order."""
        return tuple(op for op in self.ops if tensor in op.inputs)
