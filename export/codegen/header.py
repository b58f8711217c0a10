"""The network's header: sizes, shapes, quantization, and the functions to call."""

from __future__ import annotations

from collections.abc import Sequence

from export.csource.names import field_names
from export.csource.text import comment_text
from export.ir.graph import Graph
from export.ir.tensor import Tensor
from export.schedule.stage import Schedule

PROVENANCE = (
    "/* Written by keras_approx; manifest.json says for what and how. Export again rather than edit. */\n"
)
ARENA_ALIGNMENT = 8  # bytes; kernels load words, and what compilers make of memcpy loads double words
_DIMENSIONS = {3: ("HEIGHT", "WIDTH", "CHANNELS"), 2: ("LENGTH", "CHANNELS")}

_ARENA = """\
/* The arena holds activations while an inference runs: its size and its alignment, in bytes. It needs no initialization
 * and keeps nothing between inferences, so networks that run in turn can share one. */
#define {NAME}_ARENA_SIZE {arena}
#define {NAME}_ARENA_ALIGNMENT {alignment}
"""
_STATE = """\
/* The state is kept from one inference to the next: its size in bytes. It has the alignment of the arena. */
#define {NAME}_STATE_SIZE {state}
"""
_RUN_IN = """\
/* Runs one inference in memory that the caller owns. It is reentrant: calls with separate memory can run at the same
 * time. Returns 0. */
{run_in};
"""
_RESET_IN = """\
/* Initializes a state. Call it once before the first {name}_run_in. */
void {name}_reset_in(void *state);
"""
_RUN = """\
/* Runs one inference in static memory{kept}. It needs no initialization and is not reentrant. Returns 0.
 * Define {NAME}_NO_STATIC_ARENA for {name}.c to leave that memory out. Define {NAME}_ARENA_SECTION as a string to place
 * it in that section; a name that begins with ".bss." takes no flash. */
#ifndef {NAME}_NO_STATIC_ARENA
{run};
"""
_RESET = """\

/* Sets the static state back to its initial value. */
void {name}_reset(void);
"""
_HOOKS = """\
/* With {NAME}_LAYER_HOOKS defined, {name}.c calls these two functions before and after each layer. You write them, for
 * example to count cycles. Without it, nothing is called. */
#define {NAME}_LAYERS {layers}
#ifdef {NAME}_LAYER_HOOKS
void {name}_before_layer(int layer);
void {name}_after_layer(int layer);
extern const char *const {name}_layer_names[{NAME}_LAYERS];
#endif
"""
_CLASSES = """\
/* What each output stands for. */
#define {NAME}_CLASSES {classes}
extern const char *const {name}_class_names[{NAME}_CLASSES];
"""
_QUANTIZE = """\
/* Quantizes a real number for the {end}: to the nearest value, ties away from zero, as TFLite does. */
static inline int8_t {function}(float real)
{{
    float scaled = real / {prefix}_SCALE;
    float least = (float)(-128 - {prefix}_ZERO_POINT), most = (float)(127 - {prefix}_ZERO_POINT);
    float within = scaled > least ? (scaled < most ? scaled : most) : least;
    int32_t whole = (int32_t)within;
    float rest = within - (float)whole;
    return (int8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f) + {prefix}_ZERO_POINT);
}}
"""
_DEQUANTIZE = """\
/* Dequantizes a value of the {end}. */
static inline float {function}(int8_t value)
{{
    return {prefix}_SCALE * (float)(value - {prefix}_ZERO_POINT);
}}
"""


def emit_header(schedule: Schedule, name: str, class_names: Sequence[str] = ()) -> str:
    """NAME.h.

    Args:
        schedule: The network.
        name: Prefix of all that it declares.
        class_names: What each output stands for, if known.
    """
    graph = schedule.graph
    values = {
        "name": name,
        "NAME": name.upper(),
        "arena": max(1, schedule.arena_bytes),  # C has no empty arrays
        "alignment": ARENA_ALIGNMENT,
        "state": schedule.state_bytes,
        "layers": len(schedule.stages),
        "classes": len(class_names),
        "run": prototype(graph, name),
        "run_in": prototype(graph, name, memory=memory_of(schedule)),
        "kept": ", and keeps its state from call to call" if schedule.state_bytes else "",
    }

    def write(template: str) -> str:
        return template.format_map(values)

    pieces = [*_macros(graph, "input", name), *_macros(graph, "output", name)]
    pieces.append(write(_ARENA))
    if schedule.state_bytes:
        pieces.append(write(_STATE))
    pieces.append('#ifdef __cplusplus\nextern "C" {\n#endif\n')
    if not single(graph):
        pieces += [_struct(graph, "input", name), _struct(graph, "output", name)]
    pieces.append(write(_RUN_IN))
    if schedule.state_bytes:
        pieces.append(write(_RESET_IN))
    pieces.append(write(_RUN) + (write(_RESET) if schedule.state_bytes else "") + "#endif\n")
    pieces.append(write(_HOOKS))
    if class_names:
        pieces.append(write(_CLASSES))
    pieces += [*_conversions(graph, "input", name), *_conversions(graph, "output", name)]
    pieces.append("#ifdef __cplusplus\n}\n#endif\n")
    guard = f"{name.upper()}_H"
    head = f"{PROVENANCE}#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n"
    return head + "\n".join(pieces) + f"#endif /* {guard} */\n"


def memory_of(schedule: Schedule) -> tuple[str, ...]:
    """Parameters of what the caller of `NAME_run_in` gives beside inputs and outputs."""
    return ("arena", "state") if schedule.state_bytes else ("arena",)


def single(graph: Graph) -> bool:
    """Whether the network has one input and one output, which are plain arguments then."""
    return len(graph.inputs) == len(graph.outputs) == 1


def end_tensors(graph: Graph, kind: str) -> tuple[Tensor, ...]:
    """The network's inputs or outputs, as `kind` says: "input" or "output"."""
    ends = graph.inputs if kind == "input" else graph.outputs
    return tuple(graph.tensors[index] for index in ends)


def end_names(graph: Graph, kind: str) -> tuple[str, ...]:
    """The names in C of the network's inputs or outputs, as `kind` says: "input" or "output"."""
    if single(graph):
        return (kind,)
    return field_names([tensor.name for tensor in end_tensors(graph, kind)], kind)


def end_macro(graph: Graph, field: str, kind: str, name: str) -> str:
    """The prefix of an input's or output's macros."""
    return f"{name.upper()}_{kind.upper()}" + ("" if single(graph) else f"_{field.upper()}")


def prototype(graph: Graph, name: str, memory: Sequence[str] = ()) -> str:
    """The function that runs an inference; with parameters for `memory` it is the one that takes it."""
    function = f"{name}_run_in" if memory else f"{name}_run"
    if single(graph):
        ends = ["const int8_t *input", f"{_ctype(graph.tensors[graph.output])} *output"]
    else:
        ends = [f"const {name}_inputs *inputs", f"const {name}_outputs *outputs"]
    return f"int {function}({', '.join([*(f'void *{one}' for one in memory), *ends])})"


def _macros(graph: Graph, kind: str, name: str) -> list[str]:
    """Macros of each input or output."""
    found = []
    for tensor, field in zip(end_tensors(graph, kind), end_names(graph, kind), strict=True):
        shape = tensor.shape[1:]
        prefix = end_macro(graph, field, kind, name)
        known = "" if single(graph) else f" {field} ({comment_text(tensor.name)})"
        meaning = "" if tensor.quantization is None else ", real = scale * (q - zero point)"
        lines = [f"/* {kind}{known}: {tensor.dtype}, {' x '.join(map(str, shape))}{meaning} */"]
        lines.append(f"#define {prefix}_SIZE {tensor.size}")
        lines += [
            f"#define {prefix}_{dimension} {extent}"
            for dimension, extent in zip(_DIMENSIONS.get(len(shape), ()), shape, strict=False)
        ]
        if tensor.quantization is not None:
            lines.append(f"#define {prefix}_SCALE {tensor.quant.scale!r}f")
            lines.append(f"#define {prefix}_ZERO_POINT ({tensor.quant.zero_point})")
        found.append("\n".join([*lines, ""]))
    return found


def _struct(graph: Graph, kind: str, name: str) -> str:
    """The pointers that the caller passes, one an input or output."""
    constness = "const " if kind == "input" else ""
    fields = [
        f"    {constness}{_ctype(tensor)} *{field};"
        for tensor, field in zip(end_tensors(graph, kind), end_names(graph, kind), strict=True)
    ]
    return "\n".join([f"/* where the {kind}s are */", "typedef struct {", *fields, f"}} {name}_{kind}s;", ""])


def _conversions(graph: Graph, kind: str, name: str) -> list[str]:
    """Helpers between real numbers and values: inputs are quantized, outputs dequantized."""
    template, verb = (_QUANTIZE, "quantize") if kind == "input" else (_DEQUANTIZE, "dequantize")
    found = []
    for tensor, field in zip(end_tensors(graph, kind), end_names(graph, kind), strict=True):
        if tensor.quantization is None:
            continue  # indices are what they are
        called = kind if single(graph) else f"{kind} {field}"
        found.append(
            template.format(
                end=called,
                function=f"{name}_{verb}_{called.replace(' ', '_')}",
                prefix=end_macro(graph, field, kind, name),
            )
        )
    return found


def _ctype(tensor: Tensor) -> str:
    return f"{tensor.dtype}_t"
