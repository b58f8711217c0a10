"""The exporter's entry points: from a model to a folder of C."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

from export.artifact.folder import check_replaceable
from export.artifact.names import check_name
from export.errors import ExportError, ModelFormatError, OutputPathError, QuantizationError
from export.frontend import read_tflite
from export.frontend.golden_model import golden_model
from export.kernels.layout import ACTIVATIONS
from export.packaging.class_names import check_class_names
from export.packaging.example import make_sample
from export.packaging.layouts import check_layout
from export.packaging.writing import write_schedule
from export.passes import run_passes
from export.schedule import Requirements, plan_network, price_network
from export.schedule.estimate import Estimate, estimate_schedule
from export.schedule.fit import check_fit, check_limit, check_ram
from export.targets import Target, resolve

_KERAS_FILES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True)
class Export:
    """A finished export, which functions of this package and of the standard library take as the path of its folder.

    Attributes:
        path: The folder.
        name: Prefix of its files and functions.
        target: Core and board it was made for.
        estimate: What each layer is predicted to take.
        manifest: The content of manifest.json.
    """

    path: Path
    name: str
    target: Target
    estimate: Estimate
    manifest: Mapping[str, Any]

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<Export {self.name!r} in {str(self.path)!r}: {self.estimate!r}>"

    def _repr_html_(self) -> str:
        board = self.target.board.name if self.target.board else self.target.core.name
        title = f"{self.name} for {board}, {len(self.manifest['files'])} files in {self.path}"
        return self.estimate.to_html(title)


def to_c(
    model: Any,
    out_dir: str | os.PathLike[str],
    *,
    name: str = "model",
    target: str | os.PathLike[str] = "cortex-m33",
    activations: str = "auto",
    max_ram: int | None = None,
    representative_data: Any = None,
    layout: str = "cmake",
    class_names: Sequence[str] | None = None,
    sample: Any = None,
) -> Export:
    """Exports a model as C, bit-exact with TFLite's reference kernels.

    Args:
        model: A wrapped and fine-tuned model, a plain Keras model, or an int8 TFLite model (path or bytes).
        out_dir: Folder to write; an earlier export there is replaced as a whole.
        name: Prefix of files and functions: a lower-case C identifier of at most 31 characters.
        target: Name of a core or a board, see `export.targets`, or the path of a .toml file that describes a board.
        activations: How activations lie in RAM: "int16" (fastest), "int8" (half the RAM), or "auto", which takes int16
            unless RAM is so short that int8 is faster, or all that fits.
        max_ram: Bytes that activations and the kernels' scratch memory may take, for a firmware that needs the rest;
            what the board has, less 1 KiB of stack, if None. Less of it costs cycles.
        representative_data: For a plain Keras model: inputs [n, ...] float32, a tf.data.Dataset or an iterable of
            batches, to set the activation ranges with.
        layout: How the folder is laid out: "cmake" (a library target), "arduino" (a library with an example sketch),
            "cmsis-pack" (a package description with a component), or "plain" (C files alone).
        class_names: What each value of the network's one output stands for, for the header and the example.
        sample: What the example runs, and checks the bytes of: one input, real numbers or int8, or a sequence of such
            arrays where there are several inputs; random values if None.

    Returns:
        What was written.

    Raises:
        ExportError: See its subclasses in `export.errors`. The folder is then as it was before.
    """
    check_name(name)
    check_activations(activations)
    check_max_ram(max_ram)
    check_layout(layout)
    resolved = resolve(target)
    folder = _folder(out_dir)
    check_replaceable(folder)  # before the long part; again when writing
    data = to_tflite(model, representative_data=representative_data)
    graph = read_tflite(data)
    names = check_class_names(class_names, graph)
    data = golden_model(data, graph)
    requirements = Requirements(resolved, activations, max_ram)
    graph = run_passes(graph)
    check_limit(graph, requirements)
    schedule = plan_network(graph, requirements)
    predicted = estimate_schedule(schedule, resolved)
    check_fit(schedule, predicted, max_ram)
    example = make_sample(schedule.graph, sample, names)
    manifest = write_schedule(folder, schedule, predicted, name, data, example, layout=layout)
    return Export(
        path=folder,
        name=name,
        target=resolved,
        estimate=predicted,
        manifest=manifest.model_dump(mode="json", by_alias=True),
    )


def estimate(
    model: Any,
    *,
    target: str | os.PathLike[str] = "cortex-m33",
    activations: str = "auto",
    max_ram: int | None = None,
    representative_data: Any = None,
) -> Estimate:
    """Predicts cycles, flash and RAM of an export; nothing is written.

    Args:
        model: As for `to_c`.
        target: As for `to_c`.
        activations: As for `to_c`.
        max_ram: As for `to_c`.
        representative_data: As for `to_c`.

    Returns:
        The prediction, layer by layer.

    Raises:
        ExportError: See its subclasses in `export.errors`; TargetError where `max_ram` is too little.
    """
    check_activations(activations)
    check_max_ram(max_ram)
    resolved = resolve(target)
    graph = run_passes(read_tflite(to_tflite(model, representative_data=representative_data)))
    requirements = Requirements(resolved, activations, max_ram)
    check_limit(graph, requirements)
    predicted = estimate_schedule(price_network(graph, requirements), resolved)
    check_ram(predicted, max_ram)
    return predicted


def check_max_ram(max_ram: int | None) -> None:
    """Raises ExportError unless `max_ram` is a number of bytes."""
    if max_ram is not None and (
        isinstance(max_ram, bool) or not isinstance(max_ram, Integral) or max_ram < 1
    ):
        raise ExportError(f"max_ram must be a positive number of bytes or None, got {max_ram!r}")


def check_activations(activations: str) -> None:
    """Raises ExportError unless `activations` names a way in which they can lie in RAM."""
    if activations not in ACTIVATIONS:
        raise ExportError(f"activations must be one of {', '.join(ACTIVATIONS)}, got {activations!r}")


def _folder(out_dir: str | os.PathLike[str]) -> Path:
    if not isinstance(out_dir, str | os.PathLike):
        raise OutputPathError(f"expected the path of a folder as out_dir, got {out_dir!r}; try 'out/'")
    return Path(out_dir)


def to_tflite(model: Any, *, representative_data: Any = None) -> bytes:
    """The int8 TFLite model of anything that `to_c` accepts.

    Args:
        model: As for `to_c`.
        representative_data: As for `to_c`.

    Returns:
        The content of a .tflite file.

    Raises:
        ModelFormatError: The path cannot be read.
        QuantizationError: Representative data came with a model that is quantized already.
        ExportError: The model cannot be converted.
    """
    if isinstance(model, bytes | bytearray | memoryview | str | os.PathLike):
        if isinstance(model, str | os.PathLike) and Path(model).suffix in _KERAS_FILES:
            raise ModelFormatError(
                f"{str(model)!r} is a Keras model: load it, with keras.models.load_model, and pass the model; paths "
                "are those of .tflite files"
            )
        if representative_data is not None:
            raise QuantizationError(
                "representative_data goes with a float Keras model; a .tflite file has its ranges already: leave it out"
            )
        if isinstance(model, str | os.PathLike):
            try:
                return Path(model).read_bytes()
            except (OSError, ValueError) as error:  # ValueError: a NUL in the path
                reason = getattr(error, "strerror", None) or error
                raise ModelFormatError(
                    f"cannot read the TFLite model {str(model)!r}: {reason}; pass a path to a .tflite file, "
                    "its bytes, or a Keras model"
                ) from error
        return bytes(model)
    from export.frontend.keras import to_tflite as convert  # noqa: PLC0415 - TensorFlow is loaded only where it is needed

    return convert(model, representative_data)
