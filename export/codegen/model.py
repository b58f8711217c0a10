"""The network's own files: header, arena and layer order, and the CMake target."""

from __future__ import annotations

from collections.abc import Sequence

from export.csource.source import Context
from export.schedule.stage import Buffer, Schedule


def emit_header(schedule: Schedule, name: str) -> str:
    """model.h: sizes, quantization, and the one function to call."""
    graph = schedule.graph
    guard = f"{name.upper()}_H"
    lines = [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", ""]
    for side, tensor in (("INPUT", graph.tensors[graph.input]), ("OUTPUT", graph.tensors[graph.output])):
        shape = " x ".join(map(str, tensor.shape[1:]))
        prefix = f"{name.upper()}_{side}"
        lines += [
            f"/* {side.lower()}: int8, {shape}, real = scale * (q - zero point) */",
            f"#define {prefix}_SIZE {tensor.size}",
            f"#define {prefix}_SCALE {tensor.quant.scale!r}f",
            f"#define {prefix}_ZERO_POINT ({tensor.quant.zero_point})",
            "",
        ]
    lines += [
        "/* bytes of static memory for activations */",
        f"#define {name.upper()}_ARENA_SIZE {schedule.arena_bytes}",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        "/* Runs one inference. Needs no initialisation, keeps no state, is not reentrant. Returns 0. */",
        f"int {name}_run(const int8_t *input, int8_t *output);",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        f"#endif /* {guard} */",
        "",
    ]
    return "\n".join(lines)


def emit_model(schedule: Schedule, name: str, contexts: Sequence[Context]) -> str:
    """model.c: the arena, and the layers in order."""
    lines = [f'#include "{name}.h"', ""]
    lines += [f"{context.signature};" for context in contexts]
    lines.append("")
    if schedule.arena_bytes:
        lines += [f"static _Alignas(8) uint8_t arena[{name.upper()}_ARENA_SIZE];", ""]
    lines += [f"int {name}_run(const int8_t *input, int8_t *output)", "{"]
    for context, stage in zip(contexts, schedule.stages, strict=True):
        arguments = [_address(buffer) for buffer in (*stage.reads, stage.writes)]
        lines.append(f"    {context.symbol}({', '.join(arguments)});")
    lines += ["    return 0;", "}", ""]
    return "\n".join(lines)


def _address(buffer: Buffer) -> str:
    return f"arena + {buffer.offset}" if buffer.place == "arena" else buffer.place


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
