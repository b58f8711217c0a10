"""The network's own files: header, arena and layer order, and the CMake target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from export.csource.names import field_names
from export.csource.source import Context
from export.csource.text import indent, printable, table
from export.ir.graph import Graph
from export.ir.tensor import Tensor
from export.schedule.stage import Buffer, Schedule, Stage

_STATELESS = ", keeps no state, is not reentrant"
_STATE = ". Keeps a state from call to call, which {name}_reset() sets back. Is not reentrant"


def emit_header(schedule: Schedule, name: str) -> str:
    """model.h: sizes, quantization, and the functions to call."""
    graph = schedule.graph
    guard = f"{name.upper()}_H"
    lines = [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", ""]
    lines += _sizes(graph, graph.inputs, "input", name) + _sizes(graph, graph.outputs, "output", name)
    lines += [
        "/* bytes of static memory for activations */",
        f"#define {name.upper()}_ARENA_SIZE {schedule.arena_bytes}",
        "",
    ]
    if schedule.state_bytes:
        lines += [
            "/* bytes of static memory for what is kept from call to call */",
            f"#define {name.upper()}_STATE_SIZE {schedule.state_bytes}",
            "",
        ]
    lines += ["#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
    if not single(graph):
        lines += _struct(graph, graph.inputs, "input", name) + _struct(graph, graph.outputs, "output", name)
    kept = _STATE.format(name=name) if schedule.state_bytes else _STATELESS
    lines += [f"/* Runs one inference. Needs no initialisation{kept}. Returns 0. */"]
    lines += [f"{_prototype(graph, name)};", ""]
    if schedule.state_bytes:
        lines += [
            "/* Sets the state back to what it was before the first inference. */",
            f"void {name}_reset(void);",
            "",
        ]
    lines += ["#ifdef __cplusplus", "}", "#endif", f"#endif /* {guard} */", ""]
    return "\n".join(lines)


def single(graph: Graph) -> bool:
    """Whether the network has one input and one output, which are plain arguments then."""
    return len(graph.inputs) == len(graph.outputs) == 1


def end_names(graph: Graph, ends: Sequence[int], kind: str) -> tuple[str, ...]:
    """The names of inputs or outputs in C."""
    if single(graph):
        return (kind,)
    return field_names([graph.tensors[tensor].name for tensor in ends], kind)


def _sizes(graph: Graph, ends: Sequence[int], kind: str, name: str) -> list[str]:
    """Macros of each input or output."""
    lines = []
    for tensor, field in zip(map(graph.tensors.__getitem__, ends), end_names(graph, ends, kind), strict=True):
        shape = " x ".join(map(str, tensor.shape[1:]))
        prefix = f"{name.upper()}_{kind.upper()}" + ("" if single(graph) else f"_{field.upper()}")
        known = "" if single(graph) else f" {field} ({printable(tensor.name)})"
        if tensor.quantization is None:
            lines += [
                f"/* {kind}{known}: {tensor.dtype}, {shape} */",
                f"#define {prefix}_SIZE {tensor.size}",
                "",
            ]
            continue
        lines += [
            f"/* {kind}{known}: int8, {shape}, real = scale * (q - zero point) */",
            f"#define {prefix}_SIZE {tensor.size}",
            f"#define {prefix}_SCALE {tensor.quant.scale!r}f",
            f"#define {prefix}_ZERO_POINT ({tensor.quant.zero_point})",
            "",
        ]
    return lines


def _struct(graph: Graph, ends: Sequence[int], kind: str, name: str) -> list[str]:
    """The pointers that the caller passes, one an input or output."""
    constness = "const " if kind == "input" else ""
    fields = [
        f"    {constness}{_ctype(graph.tensors[tensor])} *{field};"
        for tensor, field in zip(ends, end_names(graph, ends, kind), strict=True)
    ]
    return [f"/* where the {kind}s are */", "typedef struct {", *fields, f"}} {name}_{kind}s;", ""]


def _ctype(tensor: Tensor) -> str:
    return f"{tensor.dtype}_t"


def _prototype(graph: Graph, name: str) -> str:
    if single(graph):
        return f"int {name}_run(const int8_t *input, {_ctype(graph.tensors[graph.output])} *output)"
    return f"int {name}_run(const {name}_inputs *inputs, const {name}_outputs *outputs)"


def emit_model(schedule: Schedule, name: str, contexts: Sequence[Context]) -> str:
    """model.c: the arena, and the layers in order."""
    graph = schedule.graph
    reset = _reset(schedule, name)
    lines = [f'#include "{name}.h"', *(["#include <string.h>"] if reset else []), ""]
    lines += [f"{context.signature};" for context in contexts]
    lines.append("")
    if schedule.arena_bytes:
        lines += [f"static _Alignas(8) uint8_t arena[{name.upper()}_ARENA_SIZE];", ""]
    for tensor in constants(schedule.stages):
        values = np.asarray(graph.constant(tensor)).ravel().tolist()
        lines += [table("int8_t", f"constant_{tensor}", values)]
    lines += reset
    lines += [_prototype(graph, name), "{"]
    if reset:
        lines += ["    if (!ready)", f"        {name}_reset();"]
    for context, stage in zip(contexts, schedule.stages, strict=True):
        arguments = [_address(graph, buffer) for buffer in (*stage.reads, stage.writes)]
        if stage.scratch_bytes:
            arguments.append(f"arena + {stage.scratch_offset}")
        lines.append(f"    {context.symbol}({', '.join(arguments)});")
    lines += ["    return 0;", "}", ""]
    return "\n".join(lines)


def constants(stages: Sequence[Stage]) -> list[int]:
    """The constants that layers read as they read activations."""
    read = [buffer.tensor for stage in stages for buffer in stage.reads if buffer.place == "constant"]
    return list(dict.fromkeys(read))


def _reset(schedule: Schedule, name: str) -> list[str]:
    """The memory of the states, and the function that sets them back."""
    if not schedule.state_bytes:
        return []
    tables, body, offset = "", "ready = 1;\n", 0
    for number, state in enumerate(schedule.graph.states):
        values = state.initial.ravel()
        data = values.view(np.int8)
        if (data == data[0]).all():
            body += f"memset(state + {offset}, {int(data[0])}, {data.size});\n"
        else:
            tables += table(f"{values.dtype}_t", f"initial_{number}", values.tolist())
            body += f"memcpy(state + {offset}, initial_{number}, sizeof initial_{number});\n"
        offset += -(-data.size // 4) * 4
    return [
        f"static _Alignas(8) uint8_t state[{name.upper()}_STATE_SIZE];",
        "static uint8_t ready;",
        "",
        *([tables] if tables else []),
        f"void {name}_reset(void)\n{{\n{indent(body)}}}\n",
    ]


def _address(graph: Graph, buffer: Buffer) -> str:
    if buffer.place in ("arena", "state"):
        return f"{buffer.place} + {buffer.offset}"
    if buffer.place == "constant":
        return f"constant_{buffer.number}"
    if single(graph):
        return buffer.place
    ends = graph.inputs if buffer.place == "input" else graph.outputs
    return f"{buffer.place}s->{end_names(graph, ends, buffer.place)[buffer.number]}"


def emit_cmake(name: str, sources: Sequence[str]) -> str:
    """CMakeLists.txt: a library target for add_subdirectory."""
    listed = "\n".join(f"    {source}" for source in sources)
    return (
        "cmake_minimum_required(VERSION 3.13)\n"
        f"add_library({name} STATIC\n{listed}\n)\n"
        f"target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})\n"
        f"target_compile_features({name} PRIVATE c_std_11)\n"
        f"target_compile_options({name} PRIVATE -O2)\n"
    )
