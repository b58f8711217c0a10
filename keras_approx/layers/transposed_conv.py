"""A transposed convolution whose kernel has the axes of all other kernels."""

from __future__ import annotations

from typing import Any

from keras_approx.compat import keras, tf


class TransposedConv2D(keras.layers.Conv2DTranspose):
    """`tf_keras` Conv2DTranspose with a kernel (height, width, input channels, output channels).

    Keras has the channels the other way round; masks, significance and groups of operands want output channels last.
    """

    def build(self, input_shape: Any) -> None:
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: int(input_shape[-1])})
        self.kernel = self.add_weight(
            "kernel",
            shape=(*self.kernel_size, int(input_shape[-1]), self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The sums of products with any kernel that fits the inputs, float32 [n, height, width, channels]."""
        height, width = self.compute_output_shape((None, *inputs.shape[1:]))[1:3]
        return keras.backend.conv2d_transpose(
            inputs,
            tf.transpose(kernel, (0, 1, 3, 2)),
            (tf.shape(inputs)[0], height, width, kernel.shape[-1]),
            self.strides,
            self.padding,
            self.data_format,
        )

    def call(self, inputs: Any) -> Any:
        outputs = self.convolution_op(inputs, self.kernel)
        return outputs if self.bias is None else tf.nn.bias_add(outputs, self.bias)
