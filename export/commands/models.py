"""Keras models from files of any kind, and back."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export.errors import ModelFormatError, OutputPathError

MODEL_HELP = (
    ".keras or .h5 file of Keras 2 or 3, or a SavedModel folder of Keras 2; load only models you trust"
)


def load_model(path: str) -> Any:
    """Loads a Keras model with the Keras that saved it.

    Args:
        path: A .keras or .h5 file of Keras 2 or 3, wrapped or not, or a SavedModel folder of Keras 2.

    Raises:
        ModelFormatError: Nothing is there, it is something else, cannot be loaded, or holds Python code.
    """
    file = Path(path)
    if not file.exists():
        raise ModelFormatError(f"no model {path!r}: expected a .keras or .h5 file or a SavedModel folder")
    if file.is_dir() and not (file / "keras_metadata.pb").is_file():
        raise ModelFormatError(
            f"expected the folder {path!r} to be a SavedModel with Keras's layers, it has no "
            "keras_metadata.pb; save the model as .keras"
        )
    if file.is_dir():
        version = "2"
    elif zipfile.is_zipfile(file):
        version = _keras_version(file)
    elif file.suffix in (".h5", ".hdf5"):
        version = _h5_version(file)
    else:
        raise ModelFormatError(
            f"expected a .keras or .h5 file or a SavedModel folder, got {path!r}"
            + ("; .tflite files can only be exported" if file.suffix == ".tflite" else "")
        )
    import keras as keras_3  # noqa: PLC0415

    from keras_approx import approx_scope  # noqa: PLC0415 (loads TensorFlow)
    from keras_approx.compat import keras as keras_2  # noqa: PLC0415

    keras = keras_2 if version.startswith("2") else keras_3
    try:
        with approx_scope():
            return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its layers do
        raise ModelFormatError(
            f"Keras {version} cannot load the model {path!r}: {type(error).__name__}: {error}"
        ) from error


def save_model(model: Any, path: Path) -> None:
    """Saves a tf_keras model as one file, all of it or nothing.

    Args:
        model: The model.
        path: Ends in .keras or .h5.

    Raises:
        OutputPathError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        model.save(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputPathError(f"cannot write {str(path)!r}: {error}; choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_model_name(path: Path) -> None:
    """Raises OutputPathError unless a name says that a model is in the file."""
    if path.suffix not in (".keras", ".h5"):
        raise OutputPathError(f"expected --out to end in .keras or .h5, got {str(path)!r}")


def is_wrapped(model: Any) -> bool:
    """Whether a model carries masks."""
    from keras_approx.layers.skip_wrapper import SkipWrapper  # noqa: PLC0415

    return any(isinstance(layer, SkipWrapper) for layer in model.layers)


def _keras_version(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ModelFormatError(
            f"expected {str(file)!r} to be a .keras file, but its metadata.json cannot be read: {error}"
        ) from error


def _h5_version(file: Path) -> str:
    """The Keras that saved an .h5 file, in which loading would run what Lambda layers hold."""
    import h5py  # noqa: PLC0415 (TensorFlow brings it; needed for these files alone)

    try:
        with h5py.File(file, "r") as content:
            if "model_config" not in content.attrs:
                raise ModelFormatError(
                    f"{str(file)!r} holds weights without a model: save the whole model with model.save"
                )
            version = content.attrs.get("keras_version", "2")
            config = json.loads(content.attrs["model_config"])
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, ModelFormatError):
            raise
        raise ModelFormatError(f"expected {str(file)!r} to be an .h5 file of Keras: {error}") from error
    if any(name == "Lambda" for name in _classes(config)):
        raise ModelFormatError(
            f"{str(file)!r} holds a Lambda layer, which is Python code, and cannot be wrapped either: use a "
            "layer of Keras in its place"
        )
    return version if isinstance(version, str) else version.decode()


def _classes(config: Any) -> Iterator[Any]:
    """Names of all classes in a configuration."""
    if isinstance(config, dict):
        yield config.get("class_name")
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)
