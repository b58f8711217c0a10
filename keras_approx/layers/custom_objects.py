"""The classes of a wrapped model's layers by name, which loading and cloning need."""

from __future__ import annotations

from collections.abc import Mapping

from keras_approx.compat import keras
from keras_approx.layers.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.layers.skip_wrapper import SkipWrapper
from keras_approx.layers.transposed_conv import TransposedConv2D

CUSTOM_LAYERS: Mapping[str, type[keras.layers.Layer]] = {
    known.__name__: known for known in (SkipWrapper, QuantizedWrapper, QuantizeActivation, TransposedConv2D)
}
