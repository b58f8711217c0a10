"""Keras models from files of any kind, and back."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ModelFormatError, OutputPathError
from keras_approx.storage.files import unfinished

if TYPE_CHECKING:
    from export.commands.inputs.model_files import CheckedModel

MODEL_HELP = ".keras or .h5 file of Keras 2 or 3; with --trust also a SavedModel folder of Keras 2"


def add_model(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Adds the model and whether its file is trusted; `more` are kinds of files that only this command takes."""
    parser.add_argument("model", help=f"{more}{MODEL_HELP}")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="load any model file, also one that can run code of its author; SavedModel folders and layers that "
        "cannot be exported need it",
    )


def check_model(path: str, *, tflite: bool = False) -> None:
    """Makes sure that there is a file or folder that can be a model, before anything slow is imported.

    Args:
        path: Of the file.
        tflite: Whether a .tflite file will do, or only a Keras model.

    Raises:
        ModelFormatError: Nothing is there, or a file of another kind.
    """
    file = Path(path)
    try:
        exists = file.exists()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ModelFormatError(f"cannot read the model {path!r}: {error}") from error
    if not exists:
        raise ModelFormatError(f"no model {path!r}: nothing of that name is there, check the path")
    if file.suffix == ".tflite" and not tflite:
        raise ModelFormatError(
            f"{path!r} is a .tflite file, which 'keras-approx eliminate' and 'keras-approx export' take; everything "
            "else needs the Keras model it was made from"
        )
    if file.suffix in (".npy", ".npz"):
        raise ModelFormatError(f"expected a model, {path!r} holds arrays: give it with --data or --inputs")


def load_model(path: str, *, trust: bool = False) -> Any:
    """Loads a Keras model with the Keras that saved it.

    Args:
        path: A .keras or .h5 file of Keras 2 or 3, wrapped or not, or a SavedModel folder of Keras 2.
        trust: Whether code that the file holds or names may run. Without it the file is checked first, see
            `export.commands.inputs.model_files`, and a SavedModel folder, which cannot be checked, is refused.

    Raises:
        ModelFormatError: Nothing is there, it is something else, cannot be loaded, or may run code.
    """
    check_model(path)
    file = Path(path)
    if file.is_dir():
        return _load_folder(file, trust)
    if not file.is_file():
        raise ModelFormatError(f"expected a .keras or .h5 file, {path!r} is none")
    if trust:
        return _load(file, "2" if _saved_by(file).startswith("2") else "3", path)
    from export.commands.inputs.model_files import copy_checked  # noqa: PLC0415 (slow to import)

    with tempfile.TemporaryDirectory(prefix="keras_approx_model_") as folder:
        checked = copy_checked(file, Path(folder))
        _check_size(checked, path)
        return _load(checked.path, checked.version, path)


def _load_folder(folder: Path, trust: bool) -> Any:
    if not (folder / "keras_metadata.pb").is_file():
        raise ModelFormatError(
            f"expected the folder {str(folder)!r} to be a SavedModel with Keras's layers, it has no "
            "keras_metadata.pb; save the model as .keras"
        )
    if not trust:
        raise ModelFormatError(
            f"the folder {str(folder)!r} is a SavedModel, which is a program and cannot be checked: save the model as "
            ".keras, or give --trust if you trust where it comes from"
        )
    return _load(folder, "2", str(folder))


def _load(file: Path, version: str, shown: str) -> Any:
    keras = _keras(version)
    from keras_approx import approx_scope  # noqa: PLC0415 (loads TensorFlow)

    try:
        with approx_scope():
            return keras.models.load_model(str(file), compile=False)
    except Exception as error:  # layers can raise anything
        raise ModelFormatError(
            f"Keras {version} cannot load the model {shown!r}: {type(error).__name__}: {error}"
        ) from error


def _check_size(checked: CheckedModel, shown: str) -> None:
    """Makes sure that a model has no more weights than its file stores, before they are allocated.

    A few bytes can ask for any number of them. Within a graph, or a stateless scope, Keras only counts.
    """
    from keras_approx import approx_scope  # noqa: PLC0415 (loads TensorFlow)
    from keras_approx.compat import tf  # noqa: PLC0415

    keras = _keras(checked.version)
    if checked.version == "3":
        counting: AbstractContextManager[Any] = keras.StatelessScope(initialize_variables=False)
    else:
        counting = tf.Graph().as_default()
    legacy = checked.version == "2" and checked.path.suffix == ".h5"
    build = keras.models.model_from_config if legacy else keras.saving.deserialize_keras_object
    try:
        with approx_scope(), counting:
            count = build(checked.config).count_params()
    except Exception as error:
        raise ModelFormatError(
            f"Keras {checked.version} cannot load the model {shown!r}: {type(error).__name__}: {error}"
        ) from error
    if count > checked.elements:
        raise ModelFormatError(
            f"{shown!r} describes a model of {count:,} weights, but stores {checked.elements:,}: the file is damaged"
        )


def _keras(version: str) -> Any:
    if version == "2":
        from keras_approx.compat import keras as keras_2  # noqa: PLC0415 (loads TensorFlow)

        return keras_2
    import keras as keras_3  # noqa: PLC0415

    return keras_3


def _saved_by(file: Path) -> str:
    """The version of the Keras that saved a trusted file."""
    import h5py  # noqa: PLC0415 (slow to import)

    try:
        if zipfile.is_zipfile(file) and file.suffix == ".keras":
            with zipfile.ZipFile(file) as archive:
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        with h5py.File(file, "r") as content:
            version = content.attrs.get("keras_version", "2")
            return version if isinstance(version, str) else version.decode()
    except Exception as error:
        raise ModelFormatError(f"cannot tell which Keras saved {str(file)!r}: {error}") from error


def save_model(model: Any, path: Path) -> None:
    """Saves a tf_keras model as one file, all of it or nothing.

    Args:
        model: The model.
        path: Ends in .keras or .h5.

    Raises:
        OutputPathError: The file cannot be written.
    """
    temporary = path.with_name(unfinished(path.name) + path.suffix)  # Keras saves by the suffix
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
