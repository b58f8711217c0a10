"""approx_scope: loading a wrapped model that was saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keras_approx.compat import keras, plain_settings
from keras_approx.layers.custom_objects import CUSTOM_LAYERS
from keras_approx.training.distillation import DistilledModel
from keras_approx.wrapped_model import WrappedModel


@contextmanager
def approx_scope() -> Iterator[None]:
    """A scope in which saved wrapped models can be loaded, whatever the global settings of tf_keras are.

    Example:
        with keras_approx.approx_scope():
            model = tf_keras.models.load_model("wrapped.keras")
    """
    models = {known.__name__: known for known in (WrappedModel, DistilledModel)}
    with plain_settings(), keras.utils.custom_object_scope({**CUSTOM_LAYERS, **models}):
        yield
