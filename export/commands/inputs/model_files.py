"""What a file of a Keras model holds, checked before Keras reads any of it.

Keras makes objects of whatever classes and functions a file names, and some of them run code: Lambda layers, functions
of any module as activations, TensorFlow operations that write files. So all that a file names must be on a list, and
Keras is given a copy that holds nothing else; the first bytes alone decide its kind.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
from pydantic import BaseModel, ConfigDict, ValidationError

from export.commands.inputs.hdf5_check import check_ends
from export.errors import ModelFormatError
from keras_approx.layers.registry import LAYERS

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MAX_BYTES = (
    1 << 30
)  # of a file, and of what a compressed one holds: far above what a microcontroller can run
_MAX_CONFIG = 64 << 20
_MODELS = ("Functional", "Model", "Sequential")
_OURS = (
    *("WrappedModel", "DistilledModel", "SkipWrapper", "QuantizedWrapper", "QuantizeActivation"),
    "TransposedConv2D",
)
_DATA = (  # objects of Keras that hold numbers and nothing else
    *("Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal"),
    *("LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform"),
    *("TruncatedNormal", "VarianceScaling", "Zeros"),
    *("L1", "L2", "L1L2", "OrthogonalRegularizer", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"),
    *("DTypePolicy", "FloatDTypePolicy", "Policy", "__keras_tensor__", "__tuple__"),
)
_MODULE = re.compile(
    r"(tf_)?keras(\.src)?(\.(layers|initializers|regularizers|constraints|models|engine|dtype_policies|mixed_precision)"
    r"(\.[a-z0-9_]+)*)?"
    r"|keras_approx\.(wrapped_model|layers\.(skip_wrapper|quantized_layers|transposed_conv)|training\.distillation)"
)
_TRUST = "if you trust where it comes from, give --trust, which lets it run code"


class _Metadata(BaseModel):
    model_config = ConfigDict(strict=True)
    keras_version: str


@dataclass(frozen=True)
class CheckedModel:
    """A copy of a model's file that holds only what is on the list.

    Attributes:
        path: Of the copy.
        version: "2" or "3", of the Keras that saved it.
        config: What Keras makes the model of.
        elements: How many numbers are stored as weights.
    """

    path: Path
    version: Literal["2", "3"]
    config: dict[str, Any]
    elements: int


def copy_checked(source: Path, folder: Path) -> CheckedModel:
    """Copies a .keras or .h5 file, if everything it names is on the list.

    Args:
        source: The file.
        folder: Where to put the copy.

    Raises:
        ModelFormatError: The file is neither, is damaged or too large, or names something that is not on the list.
    """
    with _damage_reported(source):
        size = source.stat().st_size
        with source.open("rb") as file:
            start = file.read(len(_HDF5))
        if size > _MAX_BYTES:
            raise ModelFormatError(
                f"{str(source)!r} has {size:,} bytes; models of up to {_MAX_BYTES:,} are loaded"
            )
        if start.startswith(_ZIP):
            return _copy_keras(source, folder / "model.keras")
        if start == _HDF5:
            return _copy_h5(source, folder / "model.h5")
    raise ModelFormatError(f"expected a .keras or .h5 file or a SavedModel folder, got {str(source)!r}")


class _damage_reported:  # noqa: N801 - a context manager
    """Turns what the readers of zip, HDF5 and JSON raise on damaged files into our error."""

    def __init__(self, source: Path) -> None:
        self._source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModelFormatError) or not isinstance(error, Exception):
            return
        reason = "its JSON is nested too deeply" if isinstance(error, RecursionError) else error
        raise ModelFormatError(f"cannot read the model {str(self._source)!r}: {reason}") from error


def _copy_keras(source: Path, target: Path) -> CheckedModel:
    with zipfile.ZipFile(source) as archive:
        sizes = {name: archive.getinfo(name).file_size for name in (_METADATA, _CONFIG, _WEIGHTS)}
        if sum(sizes.values()) > _MAX_BYTES or sizes[_METADATA] + sizes[_CONFIG] > _MAX_CONFIG:
            raise ModelFormatError(
                f"{str(source)!r} unpacks to {sum(sizes.values()):,} bytes: no model of use is so large"
            )
        version = _version(source, archive.read(_METADATA))
        config = _checked_config(source, archive.read(_CONFIG))
        weights = target.with_name(_WEIGHTS)
        with archive.open(_WEIGHTS) as packed, weights.open("wb") as file:
            shutil.copyfileobj(packed, file)
    check_ends(weights, str(source))
    with h5py.File(weights, "r") as content:
        elements = _stored_elements(source, content)
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(_METADATA, json.dumps({"keras_version": version}))
        archive.writestr(_CONFIG, json.dumps(config))
        archive.write(weights, _WEIGHTS)
    return CheckedModel(target, _major(source, version), config, elements)


def _copy_h5(source: Path, target: Path) -> CheckedModel:
    shutil.copyfile(source, target)
    check_ends(target, str(source))
    with h5py.File(target, "r") as content:
        if "model_config" not in content.attrs:
            raise ModelFormatError(
                f"{str(source)!r} holds weights without a model: save the whole model with model.save"
            )
        found = content.attrs["model_config"]
        config = _checked_config(source, found.encode() if isinstance(found, str) else bytes(found))
        version = content.attrs.get("keras_version", "2")
        elements = _stored_elements(source, content)
    major = _major(source, version if isinstance(version, str) else bytes(version).decode())
    if major == "3":
        _add_modules(config)
    return CheckedModel(target, major, config, elements)


def _add_modules(config: dict[str, Any]) -> None:
    """Says of each layer where it comes from, which .h5 files leave out and Keras 3 asks for elsewhere."""
    homes = dict.fromkeys(LAYERS, "keras.layers") | dict.fromkeys(_MODELS, "keras")
    for named in _named_objects(config):
        if "module" not in named and named["class_name"] in homes:
            functional = named["class_name"] == "Functional"
            home = "keras.src.models.functional" if functional else homes[named["class_name"]]
            named.update(module=home, registered_name=None)


def _version(source: Path, text: bytes) -> str:
    try:
        return _Metadata.model_validate_json(text).keras_version
    except ValidationError as error:
        raise ModelFormatError(
            f"expected {str(source)!r} to be a .keras file, but its metadata.json cannot be read: "
            f"{error.errors()[0]['msg']}"
        ) from error


def _major(source: Path, version: str) -> Literal["2", "3"]:
    match version.partition(".")[0]:
        case "2":
            return "2"
        case "3":
            return "3"
    raise ModelFormatError(f"{str(source)!r} was saved by Keras {version[:20]!r}; expected Keras 2 or 3")


def _checked_config(source: Path, text: bytes) -> dict[str, Any]:
    config = json.loads(text)
    if not isinstance(config, dict):
        raise ModelFormatError(f"{str(source)!r} describes no model")
    config.pop("compile_config", None)  # how it was trained: nothing here looks at it
    for named in _named_objects(config):
        kind, module, registered = (named.get(key) for key in ("class_name", "module", "registered_name"))
        if kind not in (*LAYERS, *_MODELS, *_OURS, *_DATA):
            what = "a Lambda layer, which is Python code" if kind == "Lambda" else f"{str(kind)[:60]!r}"
            raise ModelFormatError(
                f"{str(source)!r} holds {what}; only layers that can be exported are loaded "
                f"({', '.join(LAYERS)}): use one of them in its place, or {_TRUST}"
            )
        if module is not None and not (isinstance(module, str) and _MODULE.fullmatch(module)):
            raise ModelFormatError(
                f"{str(source)!r} takes {kind!r} from the module {str(module)[:60]!r}, which is not Keras: {_TRUST}"
            )
        if registered is not None and registered != kind:
            raise ModelFormatError(
                f"{str(source)!r} registers {kind!r} as {str(registered)[:60]!r}, code of somebody's own: {_TRUST}"
            )
    return config


def _named_objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a configuration that names a class, a module or a registered object."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if not part.keys().isdisjoint(("class_name", "module", "registered_name")):
                yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _stored_elements(source: Path, content: h5py.File) -> int:
    """How many numbers a file stores; all of them in the file itself, each in its place.

    A group can hold a link to itself, and a part can have many names: each part is looked at once.
    """
    total = 0
    waiting: list[h5py.Group] = [content]
    seen = {h5py.h5o.get_info(content.id).addr}
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelFormatError(f"{str(source)!r} takes weights from other files: {_TRUST}")
            part = group[name]
            address = h5py.h5o.get_info(part.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(part, h5py.Group):
                waiting.append(part)
            elif (
                part.external
                or part.is_virtual
                or part.id.get_storage_size() < part.size * part.dtype.itemsize
            ):
                raise ModelFormatError(
                    f"{str(source)!r} stores {name[:60]!r} elsewhere, packed or not at all; expected plain numbers, "
                    f"as Keras saves them: {_TRUST}"
                )
            else:
                total += part.size
    return total
