"""Converts training objects of Keras 3 to those of tf_keras, or names the ones to use in their place.

Models train in tf_keras, which the model optimization toolkit needs. Optimizers, metrics and losses of the Keras 3
library are rebuilt from their configuration and PyDatasets are adapted. Callbacks hold references into Keras 3's own
training loop, so they are refused, as is every class that is not the library's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from keras_approx.compat import keras
from keras_approx.errors import OptionError

Kind = Literal["optimizer", "metric", "loss", "schedule"]
_NAMESPACES: Mapping[Kind, Any] = {
    "optimizer": keras.optimizers,
    "metric": keras.metrics,
    "loss": keras.losses,
    "schedule": keras.optimizers.schedules,
}
_DEVICE_SETTINGS = ("dtype",)  # tf_keras follows its own policy


def is_keras3(value: Any) -> bool:
    """Whether a value's class, or a class that is the value, is of Keras 3 or derived from one that is."""
    kind = value if isinstance(value, type) else type(value)
    return any(base.__module__.split(".")[0] == "keras" for base in kind.__mro__)


def converted(kind: Kind, value: Any) -> Any:
    """An object for tf_keras that does what the given one does; lists and dicts of them likewise.

    Args:
        kind: What the object is.
        value: An optimizer, metric, loss or learning-rate schedule; others than those of Keras 3, such as names,
            functions and objects of tf_keras, are returned as they are. Optimizers start at step 0.

    Raises:
        OptionError: If it is a class, or of Keras 3 and tf_keras has no equivalent.
    """
    if isinstance(value, Mapping):
        return {name: converted(kind, one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [converted(kind, one) for one in value]
    if isinstance(value, type):
        raise OptionError(f"{kind} {value.__name__} is a class: give an object of it, {value.__name__}(...)")
    if not is_keras3(value):
        return value
    name = type(value).__name__
    target = getattr(_NAMESPACES[kind], name, None)
    if target is None or type(value).__module__.split(".")[0] != "keras":
        raise OptionError(
            f"{kind} {name} is of Keras 3, but the model trains in tf_keras: give an object of "
            f"{_NAMESPACES[kind].__name__.replace('.api._v2', '')}, or of a class derived from its own"
        )
    return target(**_arguments(kind, value, target))


def _arguments(kind: Kind, value: Any, target: type) -> dict[str, Any]:
    """The configuration of a Keras 3 object, as arguments of the tf_keras class of its name."""
    accepted = inspect.signature(target).parameters
    defaults = inspect.signature(type(value)).parameters
    found = {}
    for key, setting in value.get_config().items():
        if key in _DEVICE_SETTINGS:
            continue
        if key in accepted:
            found[key] = setting
        elif setting is not None and (key not in defaults or setting != defaults[key].default):
            raise OptionError(
                f"{kind} {type(value).__name__} of Keras 3 has {key}={setting!r}, which tf_keras's does not know: "
                f"give tf_keras's {type(value).__name__} without it"
            )
    schedule = getattr(value, "_learning_rate", None)
    if isinstance(found.get("learning_rate"), dict):
        found["learning_rate"] = converted("schedule", schedule)
    return found


def check_callbacks(callbacks: Any) -> None:
    """Refuses callbacks of Keras 3.

    Raises:
        OptionError: If one is; the message names the class to give.
    """
    several = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in several:
        if is_keras3(callback):
            kind = callback if isinstance(callback, type) else type(callback)
            name = kind.__name__
            own = kind.__module__.split(".")[0] == "keras" and hasattr(keras.callbacks, name)
            wanted = (
                f"tf_keras.callbacks.{name}" if own else "a class derived from tf_keras.callbacks.Callback"
            )
            raise OptionError(
                f"callback {name} is of Keras 3, but the model trains in tf_keras: give {wanted} with the same "
                "arguments"
            )


class PyDatasetSequence(keras.utils.Sequence):
    """A PyDataset of Keras 3 as a Sequence of tf_keras.

    Args:
        dataset: The dataset.

    Raises:
        OptionError: If it does not know its length.
    """

    def __init__(self, dataset: Any) -> None:
        length = dataset.num_batches
        if length is None:
            raise OptionError(
                f"the PyDataset {type(dataset).__name__} does not say how many batches it has: define __len__"
            )
        self.dataset = dataset
        self.length = int(length)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def on_epoch_end(self) -> None:
        self.dataset.on_epoch_end()

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """How `fit` is to read it, as its own attributes say."""
        return {
            "workers": self.dataset.workers,
            "use_multiprocessing": self.dataset.use_multiprocessing,
            "max_queue_size": self.dataset.max_queue_size,
        }


def converted_data(data: Any) -> Any:
    """A PyDataset of Keras 3 as a Sequence of tf_keras; anything else as it is."""
    return PyDatasetSequence(data) if is_keras3(data) and hasattr(data, "num_batches") else data
