"""README.md of an export: how to use it, in ten lines."""

from __future__ import annotations

import textwrap

from export.codegen.header import memory_of, prototype, single
from export.schedule.stage import Schedule

_HEAD = (
    "An int8 network as C, written by keras_approx. `{name}.h` declares all there is; nothing else is needed."
)
_RUN = "Run it: `{run}`, in {memory:,} bytes of static memory. {ends}"
_CONVERT = "Inputs and outputs are int8; `{name}_quantize_input(real)` and `{name}_dequantize_output(value)` convert."
_INDICES = (
    "Inputs are int8, and `{name}_quantize_input(real)` converts; outputs are numbers of elements, int32."
)
_STRUCTS = (
    "The structs hold pointers to arrays; the header says what is in them, and has functions that convert."
)
_RUN_IN = (
    "Run it in your own memory: `{run_in}`, with `{NAME}_ARENA_SIZE` bytes at a multiple of `{NAME}_ARENA_ALIGNMENT`"
    "{state}. Networks that run in turn can share an arena. `{NAME}_NO_STATIC_ARENA` leaves the static one out."
)
_STATE = " and a state of `{NAME}_STATE_SIZE`, which `{name}_reset_in(state)` sets up first"
_SECTION = (
    "Place the static arena: compile with `{NAME}_ARENA_SECTION` defined as the name of a section of your linker "
    'script, a string such as `".bss.dtcm"`; one that begins with `.bss.` takes no flash.'
)
_HOOKS = (
    "Time the layers: compile with `{NAME}_LAYER_HOOKS` defined, and write `{name}_before_layer(int)` and "
    "`{name}_after_layer(int)`."
)
_COMPILE = (
    "Compile with optimization (`-O2`), as C11 or C++11. The stack comes on top of the static memory: `keras-approx "
    "simulate` measures it."
)
_EXAMPLE = "`example.c` is a complete program: it runs one sample and checks every byte of the output."


def readme(schedule: Schedule, name: str, advice: str, example: bool) -> str:
    """README.md.

    Args:
        schedule: The network.
        name: Prefix of files and functions.
        advice: How a project takes it in; `{name}` in it is the network's.
        example: Whether `example.c` is there.
    """
    graph = schedule.graph
    values = {"name": name, "NAME": name.upper(), "memory": schedule.data_bytes}
    values["run"] = prototype(graph, name)
    values["run_in"] = prototype(graph, name, memory_of(schedule))
    ends = _STRUCTS
    if single(graph):
        ends = _INDICES if graph.tensors[graph.output].quantization is None else _CONVERT
    values["ends"] = ends.format_map(values)
    values["state"] = _STATE.format_map(values) if schedule.state_bytes else ""
    points = [advice, _RUN, _RUN_IN, _SECTION, _HOOKS, _COMPILE, *([_EXAMPLE] if example else [])]
    items = [_wrap(f"- {point.format_map(values)}", "  ") for point in points]
    return "\n".join([f"# {name}", "", _wrap(_HEAD.format_map(values)), "", *items, ""])


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
