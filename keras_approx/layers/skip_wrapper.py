"""The wrapper layer that skips products: a mask over the kernel, and the statistics masks are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.errors import (
    MaskError,
    NotCalibratedError,
    NotWrappedError,
    OptionError,
    UnsupportedLayerError,
)
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.layers.registry import SPECS
from keras_approx.skipping.significance import OperandStatistics, by_output

NOT_MEASURED = -1.0  # of magnitudes
SKIPPED_GRADIENTS = ("zero", "straight_through")


class SkipWrapper(QuantizedWrapper):
    """Wraps a layer of products, and skips the products whose mask is 0.

    The weights of skipped products are kept, unused, so that a later mask may take them back.

    Args:
        layer: A `tf_keras` Conv2D or Dense layer, or a TransposedConv2D, without an activation of its own.
        skipped_gradient: "zero": the weights of skipped products do not train. "straight_through": they get
            the gradient they would have if they were used.
        compensate: Whether to add the expected value of what is skipped, the sum of w E[a], to the bias.
        **kwargs: Arguments of a Keras layer; the name is that of the wrapped layer by default.

    Raises:
        OptionError: If skipped_gradient is none of the above.
        UnsupportedLayerError: For any other layer, or one with an activation.
    """

    def __init__(
        self, layer: Any, skipped_gradient: str = "zero", compensate: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(layer, **kwargs)
        if not self.spec.skippable:
            raise UnsupportedLayerError(
                f"products of {type(layer).__name__} {layer.name!r} cannot be skipped"
            )
        if skipped_gradient not in SKIPPED_GRADIENTS:
            raise OptionError(
                f"skipped_gradient must be one of {SKIPPED_GRADIENTS}, got {skipped_gradient!r}"
            )
        self.skipped_gradient = skipped_gradient
        self.compensate = bool(compensate)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        kernel = self.kernel.shape
        inputs = kernel if self.groups > 1 else kernel[:-1]
        shapes = {"mean": inputs, "mean_square": inputs, "relative": kernel}
        self.mask = self.add_weight("mask", shape=kernel, initializer="ones", trainable=False)
        self.statistics = {
            name: self.add_weight(f"statistics_{name}", shape=shape, initializer="zeros", trainable=False)
            for name, shape in shapes.items()
        }
        self.statistics["gradient"] = self.add_weight(
            "statistics_gradient",
            shape=kernel,
            initializer=keras.initializers.Constant(NOT_MEASURED),
            trainable=False,
        )
        if self.compensate:
            self.compensation = self.add_weight(
                "compensation", shape=kernel[-1:], initializer="zeros", trainable=False
            )

    @property
    def bias(self) -> Any:
        if not self.compensate:
            return super().bias
        return self.compensation if super().bias is None else self.compensation + super().bias

    def effective_kernel(self) -> Any:
        kernel = tf.convert_to_tensor(self.kernel)
        masked = kernel * self.mask
        if self.skipped_gradient == "straight_through":
            return kernel + tf.stop_gradient(masked - kernel)
        return masked

    def get_mask(self) -> np.ndarray:
        """Which products are kept: bool, the shape of the kernel."""
        return self.mask.numpy() != 0

    def set_mask(self, mask: np.ndarray) -> None:
        """Keeps the products whose mask is True and skips the others.

        Args:
            mask: bool, the shape of the kernel.

        Raises:
            MaskError: If the mask has another shape or type.
            NotCalibratedError: If the layer compensates and nothing was measured yet.
        """
        mask = self.checked_mask(mask)
        if self.compensate:
            self._compensate(mask, self.get_statistics().mean)
        self.mask.assign(mask.astype(np.float32))

    def checked_mask(self, mask: Any) -> np.ndarray:
        """The mask, if `set_mask` takes it; raises what `set_mask` does otherwise."""
        mask = np.asarray(mask)
        if mask.shape != tuple(self.kernel.shape) or mask.dtype != np.bool_:
            raise MaskError(
                f"the mask of {self.name!r} must be bool of shape {tuple(self.kernel.shape)}, "
                f"got {mask.dtype} of shape {mask.shape}"
            )
        if self.compensate:
            self.get_statistics()
        return mask

    def _compensate(self, mask: np.ndarray, mean: np.ndarray) -> None:
        skipped = np.where(mask, 0, self.kernel.numpy()) * by_output(mean, mask)
        self.compensation.assign(skipped.reshape(-1, mask.shape[-1]).sum(axis=0))

    def get_statistics(self) -> OperandStatistics:
        """What calibration measured on the inputs.

        Raises:
            NotCalibratedError: If it has not.
        """
        if not self.calibrated.numpy():
            raise NotCalibratedError(
                f"layer {self.name!r} has no statistics: call keras_approx.calibrate(model, data) first"
            )
        measured = {name: value.numpy() for name, value in self.statistics.items()}
        if (measured["gradient"] == NOT_MEASURED).all():
            del measured["gradient"]
        return OperandStatistics(**measured)

    def set_statistics(self, statistics: OperandStatistics) -> None:
        """Stores what was measured, and compensates with it."""
        for name, variable in self.statistics.items():
            values = getattr(statistics, name)
            variable.assign(tf.fill(variable.shape, NOT_MEASURED) if values is None else values)
        if self.compensate:
            self._compensate(self.get_mask(), statistics.mean)

    def get_config(self) -> dict[str, Any]:
        options = {"skipped_gradient": self.skipped_gradient, "compensate": self.compensate}
        return {**super().get_config(), **options}


def skip_wrappers(model: Any) -> list[SkipWrapper]:
    """The layers of a wrapped model that carry masks, in model order.

    Raises:
        NotWrappedError: If there are none.
    """
    layers = getattr(model, "layers", None)
    if layers is None:
        raise NotWrappedError(
            f"expected a wrapped Keras model, got {type(model).__name__}: see keras_approx.wrap"
        )
    found = [layer for layer in layers if isinstance(layer, SkipWrapper)]
    if not found:
        raise NotWrappedError(
            wrapped_inside(model)
            or f"model {model.name!r} has no layer that carries a mask: call keras_approx.wrap(model) first "
            "and use the model it returns"
        )
    return found


def wrapped_inside(model: Any) -> str:
    """What to do with a model that has a wrapped model as a layer; empty for any other."""
    for layer in model.layers:
        if any(isinstance(inner, SkipWrapper) for inner in getattr(layer, "layers", ())):
            return (
                f"model {model.name!r} has the wrapped model {layer.name!r} as a layer: give that one, "
                f"model.get_layer({layer.name!r}), or build the whole model of plain layers and wrap it"
            )
    return ""


def check_all_wrapped(model: Any) -> None:
    """Refuses a wrapped model that was given new layers with a kernel, which nothing quantizes.

    Raises:
        UnsupportedLayerError: If there is one.
    """
    for layer in model.layers:
        spec = SPECS.get(type(layer).__name__)
        if spec is not None and any("kernel" in weight for weight in spec.weights):
            raise UnsupportedLayerError(
                f"layer {layer.name!r} is not wrapped: strip the model, change it, and wrap it again"
            )


def get_masks(model: Any) -> dict[str, np.ndarray]:
    """The masks of a wrapped model.

    Args:
        model: A wrapped model.

    Returns:
        By layer name, bool arrays of the kernels' shapes, True where a product is kept.

    Raises:
        NotWrappedError: If the model is not wrapped.
    """
    return {layer.name: layer.get_mask() for layer in skip_wrappers(model)}


def set_masks(model: Any, masks: Mapping[str, np.ndarray]) -> None:
    """Sets the masks of a wrapped model, all or, if it raises, none.

    Args:
        model: A wrapped model, changed in place.
        masks: By layer name, bool arrays of the kernels' shapes, True where a product is kept; layers that are not
            named keep theirs.

    Raises:
        NotWrappedError: If the model is not wrapped.
        NotCalibratedError: If a layer compensates for what it skips, and nothing was measured yet.
        MaskError: If a name is not of a layer that carries a mask, or a mask does not fit.
    """
    layers = {layer.name: layer for layer in skip_wrappers(model)}
    unknown = sorted(set(masks) - set(layers))
    if unknown:
        raise MaskError(f"no layer named {', '.join(unknown)} carries a mask; these do: {', '.join(layers)}")
    checked = {name: layers[name].checked_mask(mask) for name, mask in masks.items()}
    for name, mask in checked.items():
        layers[name].set_mask(mask)
