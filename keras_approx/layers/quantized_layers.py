"""Layers that emulate int8 inference: one wraps a layer and quantizes its kernel, one quantizes tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError, UnsupportedLayerError
from keras_approx.layers.quantizers import KernelQuantizer, RangeQuantizer, int8_range
from keras_approx.layers.registry import SPECS
from keras_approx.layers.transposed_conv import TransposedConv2D


class BuiltWhenCalled:
    """A layer whose weights have its name in loaded and cloned models too, as the call that builds it gives it."""

    def get_build_config(self) -> None:
        """Nothing: tf_keras builds no layer ahead of its call that has no such configuration."""


class QuantizedWrapper(BuiltWhenCalled, keras.layers.Wrapper):
    """Wraps a layer with a kernel, which it quantizes once the model was calibrated.

    Args:
        layer: A `tf_keras` Conv2D, DepthwiseConv2D or Dense without an activation of its own.
        **kwargs: Arguments of a Keras layer; the name is that of the wrapped layer by default.

    Raises:
        UnsupportedLayerError: For any other layer, or one with an activation.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        spec = SPECS.get(type(layer).__name__)
        if spec is None or spec.kernel is None:
            raise UnsupportedLayerError(
                f"{type(self).__name__} expects a Conv2D, DepthwiseConv2D or Dense layer, got "
                f"{type(layer).__name__}"
            )
        if layer.activation is not keras.activations.linear:
            raise UnsupportedLayerError(
                f"layer {layer.name!r} has an activation; make it a layer of its own, as keras_approx.wrap "
                "does"
            )
        super().__init__(layer, **{"name": layer.name, **kwargs})
        self.spec = spec
        self.kernel_name = spec.kernel
        self.kernel_quantizer = KernelQuantizer(spec.channel_axes)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.calibrated = self.add_weight(
            "calibrated", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    @property
    def kernel(self) -> Any:
        """The trained weights, before masks and quantization."""
        return getattr(self.layer, self.kernel_name)

    @property
    def groups(self) -> int:
        """How many parts the channels are in: the outputs of each see the inputs of the same part."""
        return int(getattr(self.layer, "groups", 1))

    @property
    def bias(self) -> Any:
        """What is added to each output channel, or None."""
        return self.layer.bias if self.layer.use_bias else None

    def effective_kernel(self) -> Any:
        """The weights that take part in the products, before quantization."""
        return tf.convert_to_tensor(self.kernel)

    def products(self, inputs: Any, kernel: Any) -> Any:
        """The sums of products of the wrapped layer with any kernel that fits its inputs, without bias."""
        layer = self.layer
        if isinstance(layer, keras.layers.Dense):
            return tf.matmul(inputs, kernel)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            return keras.backend.depthwise_conv2d(
                inputs,
                kernel,
                strides=layer.strides,
                padding=layer.padding,
                dilation_rate=layer.dilation_rate,
                data_format=layer.data_format,
            )
        if self.groups == 1:
            return layer.convolution_op(inputs, kernel)
        # TensorFlow has no gradients of grouped convolutions on processors.
        parts = (tf.split(values, self.groups, axis=-1) for values in (inputs, kernel))
        return tf.concat([layer.convolution_op(*part) for part in zip(*parts, strict=True)], axis=-1)

    def call(self, inputs: Any) -> Any:
        kernel = self.effective_kernel()
        kernel = tf.cond(
            self.calibrated > 0, lambda: self.kernel_quantizer(kernel, None, {}), lambda: tf.identity(kernel)
        )
        outputs = self.products(inputs, kernel)
        return outputs if self.bias is None else tf.nn.bias_add(outputs, self.bias)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "layer": {**config["layer"], "build_config": None}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """A layer from its configuration, as cloning a model makes it: the package's own layers are known."""
        known = {**(custom_objects or {}), TransposedConv2D.__name__: TransposedConv2D}
        return super().from_config(config, known)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)


class QuantizeActivation(BuiltWhenCalled, keras.layers.Layer):
    """Quantizes every tensor it is called on over one range; identity until calibration sets the range.

    Tensors that int8 TFLite requires to share their quantization go through one such layer.

    Args:
        fixed_range: The range to set at calibration, whatever the data; None to measure it.
        **kwargs: Arguments of a Keras layer.

    Raises:
        OptionError: If fixed_range is not a pair with min < max.
    """

    def __init__(self, fixed_range: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if fixed_range is not None and not (len(fixed_range) == 2 and fixed_range[0] < fixed_range[1]):
            raise OptionError(f"fixed_range must be None or (min, max) with min < max, got {fixed_range!r}")
        self.fixed_range = None if fixed_range is None else (float(fixed_range[0]), float(fixed_range[1]))
        self.quantizer = RangeQuantizer()

    def build(self, input_shape: Any) -> None:
        self.range = self.quantizer.build(input_shape, "range", self)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.quantizer(inputs, None, self.range)

    def set_range(self, low: float, high: float) -> None:
        """Sets the range to one that holds [low, high], or the fixed range; quantization acts from then on."""
        low, high = self.fixed_range or int8_range(low, high)
        self.range["min"].assign(low)
        self.range["max"].assign(high)

    def get_range(self) -> tuple[float, float] | None:
        """The range, or None before calibration."""
        low, high = float(self.range["min"].numpy()), float(self.range["max"].numpy())
        return (low, high) if low < high else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fixed_range": self.fixed_range}
