"""Writes a network as a C project over the baseline kernels, with the contract of `export.to_c`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.cycles.baseline.layers import column_bytes, emit_layer, kind_of
from export.artifact.manifest import (
    FORMAT,
    GENERATOR,
    MANIFEST_NAME,
    Flag,
    Generator,
    LayerInfo,
    MadeFor,
    Manifest,
    TensorInfo,
)
from export.codegen.runtime import runtime_header
from export.ir.graph import Graph
from export.ir.ops import Op, Reshape
from export.ir.tensor import Tensor
from export.schedule.arena import Lifetime, plan
from export.schedule.roofline import count_macs

NAME = "baseline"
COMPILER_FLAGS: tuple[Flag, ...] = ("-std=c11", "-O3")
_KERNELS = Path(__file__).parent
_HEADER = f"""#ifndef BASELINE_H
#define BASELINE_H
#include <stdint.h>
int {NAME}_run(const int8_t *input, int8_t *output);
#endif
"""


@dataclass(frozen=True)
class _Layer:
    op: Op
    symbol: str


def write_baseline(graph: Graph, out_dir: str | Path, *, core: str = "cortex-m33") -> Path:
    """Writes a network as C; `export.simulate` and `export.artifact.compiling.build_host` take the folder.

    Args:
        graph: The network, after `export.passes.run_passes`; of convolutions, dense layers, pools, additions,
            softmax and reshapes.
        out_dir: A folder that exists or can be made; files of the same names are overwritten.
        core: What the manifest names; the C is the same for all.

    Returns:
        The folder.

    Raises:
        UnsupportedModelError: Another operator.
    """
    same = _reshaped(graph)
    computed = [op for op in graph.ops if not isinstance(op, Reshape)]
    layers = [_Layer(op, f"{NAME}_{index:02d}_{kind_of(op)}") for index, op in enumerate(computed)]
    offsets, columns, arena_bytes = _place(graph, computed, same)
    files = {f"{layer.symbol}.c": emit_layer(graph, layer.op, layer.symbol) for layer in layers}
    files[f"{NAME}.c"] = _network(graph, layers, same, offsets, columns, arena_bytes)
    files["baseline_kernels.c"] = (_KERNELS / "kernels.c").read_text(encoding="ascii")
    files["baseline_kernels.h"] = (_KERNELS / "kernels.h").read_text(encoding="ascii")
    files["baseline_runtime.h"] = runtime_header()
    files[f"{NAME}.h"] = _HEADER
    manifest = _manifest(graph, layers, sorted(files), arena_bytes, core)
    files[MANIFEST_NAME] = manifest.to_bytes().decode("ascii")
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    return folder


def _reshaped(graph: Graph) -> dict[int, int]:
    """Every activation -> the tensor that holds its values: reshapes copy nothing."""
    same = {graph.inputs[0]: graph.inputs[0]}
    for op in graph.ops:
        same[op.output] = same[op.inputs[0]] if isinstance(op, Reshape) else op.output
    return same


def _place(
    graph: Graph, computed: Sequence[Op], same: dict[int, int]
) -> tuple[dict[int, int], dict[int, int], int]:
    """Byte offsets in the arena of tensors and of layers' columns, and the arena's size."""
    first, last = {}, {}
    for step, op in enumerate(computed):
        first[op.output] = last[op.output] = step
        for index in op.inputs:
            last[same[index]] = step
    tensors = [index for index in first if index != same[graph.outputs[0]]]
    lifetimes = [Lifetime(graph.tensors[index].size, first[index], last[index]) for index in tensors]
    needing = [step for step, op in enumerate(computed) if column_bytes(graph, op)]
    lifetimes += [Lifetime(column_bytes(graph, computed[step]), step, step) for step in needing]
    offsets, size = plan(lifetimes)
    split = len(tensors)
    by_tensor = dict(zip(tensors, offsets[:split], strict=True))
    return by_tensor, dict(zip(needing, offsets[split:], strict=True)), size


def _network(
    graph: Graph,
    layers: Sequence[_Layer],
    same: dict[int, int],
    offsets: dict[int, int],
    columns: dict[int, int],
    arena_bytes: int,
) -> str:
    def pointer(index: int) -> str:
        tensor = same[index]
        if tensor == graph.inputs[0]:
            return "input"
        return "output" if tensor == same[graph.outputs[0]] else f"(int8_t *)(arena + {offsets[tensor]})"

    text = f'#include "{NAME}.h"\n\n'
    for layer in layers:
        inputs = ", ".join("const int8_t *" for _ in layer.op.inputs)
        scratch = "int16_t *, " if column_bytes(graph, layer.op) else ""
        text += f"void {layer.symbol}({inputs}, {scratch}int8_t *);\n"
    text += "\n"
    if arena_bytes:
        text += f"static _Alignas(8) uint8_t arena[{arena_bytes}];\n\n"
    text += f"int {NAME}_run(const int8_t *input, int8_t *output)\n{{\n"
    for step, layer in enumerate(layers):
        arguments = [pointer(index) for index in layer.op.inputs]
        if step in columns:
            arguments.append(f"(int16_t *)(arena + {columns[step]})")
        text += f"    {layer.symbol}({', '.join([*arguments, pointer(layer.op.output)])});\n"
    return text + "    return 0;\n}\n"


def _manifest(
    graph: Graph, layers: Sequence[_Layer], files: Sequence[str], arena_bytes: int, core: str
) -> Manifest:
    described = []
    for index, layer in enumerate(layers):
        macs, kept = count_macs(graph, layer.op)
        described.append(
            LayerInfo(
                index=index,
                kind=kind_of(layer.op),
                name=graph.tensors[layer.op.output].name,
                source=f"{layer.symbol}.c",
                kernel="baseline",
                macs=macs,
                kept_macs=kept,
                predicted_cycles=None,
                predicted_flash_bytes=None,
                roofline_cycles=None,
                predicted_board_cycles=None,
                copied_bytes=0,
            )
        )
    return Manifest(
        format=FORMAT,
        generator=Generator(name=GENERATOR, version=metadata.version("keras_approx")),
        name=NAME,
        target=MadeFor(core=core, board=None),
        sources=tuple(name for name in files if name.endswith(".c")),
        headers=tuple(name for name in files if name.endswith(".h")),
        compiler_flags=COMPILER_FLAGS,
        inputs=tuple(_tensor(graph.tensors[tensor], "input") for tensor in graph.inputs),
        outputs=tuple(_tensor(graph.tensors[tensor], "output") for tensor in graph.outputs),
        class_names=(),
        state_bytes=0,
        arena_bytes=arena_bytes,
        layers=tuple(described),
        buffers=(),
        files=(*files, MANIFEST_NAME),
    )


def _tensor(tensor: Tensor, name: str) -> TensorInfo:
    return TensorInfo(
        name=name,
        shape=tensor.shape[1:],
        dtype="int8",
        scale=tensor.quant.scale,
        zero_point=tensor.quant.zero_point,
    )
