"""approx_scope: loading a wrapped model that was saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keras_approx.compat import keras, plain_settings
from keras_approx.layers.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.layers.skip_wrapper import SkipWrapper
from keras_approx.layers.transposed_conv import TransposedConv2D
from keras_approx.training.distillation import DistilledModel
from keras_approx.wrapped_model import WrappedModel


@contextmanager
def approx_scope() -> Iterator[None]:
    """A scope in which saved wrapped models can be loaded, whatever the global settings of tf_keras are.

    Example:
        with keras_approx.approx_scope():
            model = tf_keras.models.load_model("wrapped.keras")
    """
    classes = (
        *(SkipWrapper, QuantizedWrapper, QuantizeActivation, TransposedConv2D),
        *(WrappedModel, DistilledModel),
    )
    with plain_settings(), keras.utils.custom_object_scope({known.__name__: known for known in classes}):
        yield
