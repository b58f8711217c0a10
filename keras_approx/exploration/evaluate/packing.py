"""A model as plain data that can be copied, hashed, and sent to another process."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.compat import keras
from keras_approx.layers.skip_wrapper import get_masks, set_masks
from keras_approx.saving import approx_scope


@dataclass(frozen=True)
class PackedModel:
    """A functional tf_keras model of plain and wrapped layers.

    Attributes:
        config: Its architecture, as JSON.
        weights: Its arrays in the order of `get_weights`, masks and statistics among them.
    """

    config: str
    weights: tuple[np.ndarray, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of architecture and weights; the same for equal models in every process."""
        config = json.loads(self.config)
        config["config"].pop("output_names", None)  # which change no score
        found = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
        for weight in self.weights:
            found.update(f"{weight.dtype.str}{weight.shape}".encode())
            found.update(np.ascontiguousarray(weight).tobytes())
        return found.hexdigest()


def pack_model(model: Any) -> PackedModel:
    """The model as it is now."""
    config = json.dumps({"class_name": type(model).__name__, "config": model.get_config()}, sort_keys=True)
    return PackedModel(config, tuple(model.get_weights()))


def unpack_model(packed: PackedModel) -> Any:
    """A new model, equal to the packed one, not compiled."""
    with approx_scope():
        model = keras.models.model_from_json(packed.config)
    model.set_weights(packed.weights)
    return model


def unmasked_copy(model: Any) -> Any:
    """A copy of a wrapped model that skips nothing."""
    copy = unpack_model(pack_model(model))
    set_masks(copy, {name: np.ones_like(mask) for name, mask in get_masks(copy).items()})
    return copy
