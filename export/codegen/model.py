"""The network's own source file: the layers in order, and the memory they work in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from export.codegen.header import ARENA_ALIGNMENT, PROVENANCE, end_names, memory_of, prototype, single
from export.csource.source import Context
from export.csource.text import indent, string_table, table
from export.ir.graph import Graph
from export.schedule.arena import state_offsets
from export.schedule.stage import Buffer, Schedule, Stage

_HOOKS = """\
#ifdef {NAME}_LAYER_HOOKS
{names}#define LAYER(number, call) ({name}_before_layer(number), call, {name}_after_layer(number))
#else
#define LAYER(number, call) call
#endif
"""
_STATIC = """\
#ifndef {NAME}_NO_STATIC_ARENA
#ifdef __cplusplus
#define ALIGNED alignas({alignment})
#else
#define ALIGNED _Alignas({alignment})
#endif
#ifdef {NAME}_ARENA_SECTION
#define PLACED __attribute__((section({NAME}_ARENA_SECTION)))
#else
#define PLACED
#endif

{arrays}
{run}
{{
{body}}}
#endif
"""


def emit_model(
    schedule: Schedule,
    name: str,
    contexts: Sequence[Context],
    layer_names: Sequence[str],
    class_names: Sequence[str] = (),
) -> str:
    """NAME.c.

    Args:
        schedule: The network.
        name: Prefix of all that it defines.
        contexts: The layers, in order.
        layer_names: What hooks may call them.
        class_names: What each output stands for, if known.
    """
    graph = schedule.graph
    reset = _reset_in(schedule, name)
    lines = [f'{PROVENANCE}#include "{name}.h"', *(["#include <string.h>"] if reset else []), ""]
    lines += ["#ifdef __cplusplus", 'extern "C" {', "#endif"]
    lines += [f"{context.signature};" for context in contexts]
    lines += ["#ifdef __cplusplus", "}", "#endif", ""]
    for tensor in constants(schedule.stages):
        values = np.asarray(graph.constant(tensor)).ravel().tolist()
        lines += [table("int8_t", f"constant_{tensor}", values)]
    if class_names:
        lines += [string_table(f"{name}_class_names", f"{name.upper()}_CLASSES", class_names)]
    names = string_table(f"{name}_layer_names", f"{name.upper()}_LAYERS", layer_names)
    lines += [_HOOKS.format(NAME=name.upper(), name=name, names=names)]
    lines += reset
    lines += [prototype(graph, name, memory_of(schedule)), "{"]
    lines += [f"    {line}" for line in _memory(schedule)]
    ends = {kind: _end_pointers(graph, kind) for kind in ("input", "output")}
    for number, (context, stage) in enumerate(zip(contexts, schedule.stages, strict=True)):
        arguments = [_address(buffer, ends) for buffer in (*stage.reads, stage.writes)]
        if stage.scratch_bytes:
            arguments.append(f"memory + {stage.scratch_offset}")
        lines.append(f"    LAYER({number}, {context.symbol}({', '.join(arguments)}));")
    lines += ["    return 0;", "}", "", _static(schedule, name)]
    return "\n".join(lines)


def constants(stages: Sequence[Stage]) -> list[int]:
    """The constants that layers read as they read activations."""
    read = [buffer.tensor for stage in stages for buffer in stage.reads if buffer.place == "constant"]
    return list(dict.fromkeys(read))


def _memory(schedule: Schedule) -> list[str]:
    """Byte pointers to the caller's memory."""
    lines = ["uint8_t *memory = (uint8_t *)arena;"] if schedule.arena_bytes else ["(void)arena;"]
    return [*lines, "uint8_t *kept = (uint8_t *)state;"] if schedule.state_bytes else lines


def _static(schedule: Schedule, name: str) -> str:
    """The same inference in static memory."""
    arrays, body = "", ""
    memory = ["arena" if schedule.arena_bytes else "0"]
    if schedule.arena_bytes:
        arrays += f"ALIGNED static uint8_t arena[{name.upper()}_ARENA_SIZE] PLACED;\n"
    if schedule.state_bytes:
        memory.append("state")
        arrays += f"ALIGNED static uint8_t state[{name.upper()}_STATE_SIZE];\nstatic uint8_t ready;\n\n"
        arrays += f"void {name}_reset(void)\n{{\n    {name}_reset_in(state);\n    ready = 1;\n}}\n"
        body += f"if (!ready)\n    {name}_reset();\n"
    ends = ("input", "output") if single(schedule.graph) else ("inputs", "outputs")
    body += f"return {name}_run_in({', '.join([*memory, *ends])});\n"
    return _STATIC.format(
        NAME=name.upper(),
        alignment=ARENA_ALIGNMENT,
        arrays=arrays,
        run=prototype(schedule.graph, name),
        body=indent(body),
    )


def _reset_in(schedule: Schedule, name: str) -> list[str]:
    """The function that sets a state to the initial one, and the tables it needs."""
    if not schedule.state_bytes:
        return []
    tables, body = "", "uint8_t *kept = (uint8_t *)state;\n"
    offsets, _ = state_offsets(schedule.graph)
    for number, (state, offset) in enumerate(zip(schedule.graph.states, offsets, strict=True)):
        values = state.initial.ravel()
        data = values.view(np.int8)
        if (data == data[0]).all():
            body += f"memset(kept + {offset}, {int(data[0])}, {data.size});\n"
        else:
            tables += table(f"{values.dtype}_t", f"initial_{number}", values.tolist())
            body += f"memcpy(kept + {offset}, initial_{number}, sizeof initial_{number});\n"
    return [
        *([tables] if tables else []),
        f"void {name}_reset_in(void *state)\n{{\n{indent(body)}}}\n",
    ]


def _end_pointers(graph: Graph, kind: str) -> tuple[str, ...]:
    """C of the caller's pointers to inputs or outputs."""
    return (kind,) if single(graph) else tuple(f"{kind}s->{field}" for field in end_names(graph, kind))


def _address(buffer: Buffer, ends: Mapping[str, Sequence[str]]) -> str:
    """C of the pointer to a buffer.

    Args:
        buffer: Where it is.
        ends: Pointers to the caller's inputs and outputs.
    """
    if buffer.place in ("arena", "state"):
        return f"{'memory' if buffer.place == 'arena' else 'kept'} + {buffer.offset}"
    if buffer.place == "constant":
        return f"constant_{buffer.number}"
    return ends[buffer.place][buffer.number]
