"""Writes a planned network as a folder: sources, manifest, model and the description of its board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from export.artifact.boards import BOARD_FILE
from export.artifact.folder import write_folder
from export.artifact.manifest import (
    FORMAT,
    GENERATOR,
    MANIFEST_NAME,
    BufferInfo,
    Dtype,
    Flag,
    Generator,
    LayerInfo,
    MadeFor,
    Manifest,
    TensorInfo,
)
from export.codegen import emit_project
from export.codegen.header import end_names, end_tensors
from export.ir.graph import Graph
from export.packaging.example import Sample
from export.packaging.layouts import Contents, arrange
from export.schedule import Schedule
from export.schedule.estimate import Estimate
from export.schedule.live_buffers import live_buffers
from export.schedule.roofline import roofline_cycles
from export.targets import Span
from keras_approx import __version__

COMPILER_FLAGS: tuple[Flag, ...] = ("-std=c11", "-O2")


def write_schedule(
    folder: Path,
    schedule: Schedule,
    predicted: Estimate,
    name: str,
    data: bytes,
    sample: Sample,
    *,
    layout: str = "cmake",
) -> Manifest:
    """Writes the C of a schedule, its manifest, the model it was made of and the board's own description.

    Args:
        folder: The output folder.
        schedule: The network.
        predicted: Its prediction.
        name: Prefix of files and functions.
        data: Content of the `.tflite` file.
        sample: What the example runs.
        layout: A key of LAYOUTS.
    """
    project = emit_project(schedule, predicted, name, sample.class_names)
    contents = arrange(schedule, project, name, layout, sample)
    files = {file: text.encode("ascii") for file, text in contents.files.items()}
    files[f"{name}.tflite"] = data
    board = predicted.target.board
    if board is not None and board.file:
        files[BOARD_FILE] = board.file.encode("utf-8")
    manifest = _manifest(
        schedule, predicted, contents, name, sample.class_names, sorted([*files, MANIFEST_NAME])
    )
    files[MANIFEST_NAME] = manifest.to_bytes()
    write_folder(folder, files)
    return manifest


def _manifest(
    schedule: Schedule,
    predicted: Estimate,
    contents: Contents,
    name: str,
    class_names: tuple[str, ...],
    files: Sequence[str],
) -> Manifest:
    graph, target = schedule.graph, predicted.target
    return Manifest(
        format=FORMAT,
        generator=Generator(name=GENERATOR, version=__version__),
        name=name,
        target=MadeFor(core=target.core.name, board=target.board.name if target.board else None),
        sources=contents.sources,
        headers=contents.headers,
        compiler_flags=COMPILER_FLAGS,
        inputs=_tensors(graph, "input"),
        outputs=_tensors(graph, "output"),
        class_names=class_names,
        arena_bytes=schedule.arena_bytes,
        state_bytes=schedule.state_bytes,
        layers=tuple(
            LayerInfo(
                index=layer.index,
                kind=layer.kind,
                name=layer.name,
                source=source,
                kernel=layer.kernel,
                macs=layer.macs,
                kept_macs=layer.kept_macs,
                predicted_cycles=layer.cycles,
                predicted_flash_bytes=layer.flash_bytes,
                roofline_cycles=roofline_cycles(graph, stage) if target.core.dsp else None,
                predicted_board_cycles=layer.board_cycles and _whole(layer.board_cycles),
                copied_bytes=layer.copied_bytes,
            )
            for layer, source, stage in zip(
                predicted.layers, contents.layer_sources, schedule.stages, strict=True
            )
        ),
        buffers=tuple(
            BufferInfo(
                name=None if buffer.tensor is None else graph.tensors[buffer.tensor].name,
                offset=buffer.offset,
                bytes=buffer.size,
                first_layer=buffer.first,
                last_layer=buffer.last,
            )
            for buffer in live_buffers(schedule)
        ),
        files=tuple(files),
    )


def _whole(span: Span) -> tuple[int, int]:
    return round(span.low), round(span.high)


def _tensors(graph: Graph, kind: str) -> tuple[TensorInfo, ...]:
    """What the manifest says of inputs or outputs."""
    return tuple(
        TensorInfo(
            name=name,
            shape=tensor.shape[1:],
            dtype=cast(Dtype, tensor.dtype),
            scale=tensor.quantization.scale if tensor.quantization else 1.0,
            zero_point=tensor.quantization.zero_point if tensor.quantization else 0,
        )
        for name, tensor in zip(end_names(graph, kind), end_tensors(graph, kind), strict=True)
    )
