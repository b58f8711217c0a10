"""Resource variables: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, and CALL_ONCE, which gives them their first values.

A variable becomes a state of the graph: what is read before it is assigned is its old value, and its last value is kept
for the next inference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.operators.operator import Alias
from export.reading.flatbuffer import RawGraph, RawOperator
from export.reading.lowering import Lowering


def _var_handle(state: Lowering, op: RawOperator) -> None:
    if len(op.outputs) != 1:
        raise ModelFormatError(f"{op}: expected 1 output; the file is damaged")
    state.variables.names[op.outputs[0]] = _name(op)


def _name(op: RawOperator) -> str:
    return f"{op.options.get('Container', '')}/{op.options.get('SharedName', '')}"


def _call_once(state: Lowering, op: RawOperator) -> None:
    number = state.option(op, "CallOnceOptions", "InitSubgraphIndex")
    if not 0 < number < len(state.subgraphs):
        raise ModelFormatError(f"{op}: subgraph {number} of {len(state.subgraphs)}; the file is damaged")
    state.variables.initial |= _initial_values(op, state, state.subgraphs[number])


def _initial_values(op: RawOperator, state: Lowering, graph: RawGraph) -> dict[str, NDArray[np.int8]]:
    """What a subgraph of nothing but assignments of constants assigns."""
    names: dict[int, str] = {}
    values: dict[str, NDArray[np.int8]] = {}
    for inner in graph.operators:
        if inner.name == "VAR_HANDLE" and len(inner.outputs) == 1:
            names[inner.outputs[0]] = _name(inner)
        elif inner.name == "ASSIGN_VARIABLE" and len(inner.inputs) == 2 and inner.inputs[0] in names:
            stored = graph.tensors[inner.inputs[1]]
            if stored.data is None or stored.dtype != "int8":
                raise UnsupportedModelError(
                    f"{op}: a variable starts from {stored.dtype} values that are computed; expected an int8 constant"
                )
            values[names[inner.inputs[0]]] = state.values(stored, str(op))
        else:
            raise UnsupportedModelError(
                f"{op}: its subgraph computes with {inner.name}; expected assignments"
            )
    return values


def _variable(state: Lowering, op: RawOperator) -> str:
    name = state.variables.names.get(op.inputs[0]) if op.inputs else None
    if name is None:
        raise ModelFormatError(f"{op}: its first input is no variable; the file is damaged")
    return name


def _read_variable(state: Lowering, op: RawOperator) -> None:
    state.arity(op, 1)
    name, variables = _variable(state, op), state.variables
    if name not in variables.values:
        stored = state.raw.tensors[op.outputs[0]]
        initial = variables.initial.get(name)
        quantization = state.quantization(stored, str(op), per_tensor=True)
        if stored.dtype != "int8" or initial is None:
            raise UnsupportedModelError(
                f"{op}: expected an int8 variable with an initial value, got {stored.dtype}"
                f"{'' if initial is not None else ' without one'}"
            )
        variables.values[name] = variables.read[name] = state.add_state(stored.name, initial, quantization)
    state.alias(op.outputs[0], variables.values[name])


def _assign_variable(state: Lowering, op: RawOperator) -> None:
    if len(op.inputs) != 2 or op.outputs:
        raise ModelFormatError(f"{op}: expected 2 inputs and no output; the file is damaged")
    name, variables = _variable(state, op), state.variables
    value = state.operand(op, 1)
    kept = variables.read.get(name)
    if kept is not None and state.shape(kept) != state.shape(value):
        raise UnsupportedModelError(
            f"{op}: a variable of shape {state.shape(kept)} takes a value of shape {state.shape(value)}"
        )
    if kept is not None:
        state.same_quantization(op, kept, value)
    variables.values[name] = value


VARIABLES = Alias(
    {
        "ASSIGN_VARIABLE": _assign_variable,
        "CALL_ONCE": _call_once,
        "READ_VARIABLE": _read_variable,
        "VAR_HANDLE": _var_handle,
    },
    "int8 variables with constant first values; `model_reset()` sets them back",
)
