"""The model that `wrap` makes: a functional tf_keras model that also takes training objects of Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_approx.compat import keras, plain_settings
from keras_approx.keras3 import PyDatasetSequence, check_callbacks, converted, converted_data
from keras_approx.layers.custom_objects import CUSTOM_LAYERS


def _restored(kind: type, restore: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """A pickled or copied model, which tf_keras saves and loads as it does files."""
    with plain_settings(), keras.utils.custom_object_scope({**CUSTOM_LAYERS, kind.__name__: kind}):
        return restore(*arguments)


class WrappedModel(keras.Model):
    """A functional model with skip masks and fake quantization; see `wrap`.

    It compiles and trains as any tf_keras model. Optimizers, losses, metrics and PyDatasets of Keras 3 are converted;
    callbacks of Keras 3 are refused with an error that names those of tf_keras.
    """

    def name_outputs(self, names: Sequence[str]) -> None:
        """Names the outputs, for losses, labels and logs; the names are saved with the model."""
        self.output_names = list(names)

    def get_config(self) -> dict[str, Any]:
        """As `tf_keras.Model.get_config`; with the names of outputs."""
        return {**super().get_config(), "output_names": list(self.output_names)}

    def get_build_config(self) -> dict[str, Any]:
        """As `tf_keras.Model.get_build_config`; tf_keras shows it where a model is loaded outside of approx_scope."""
        return {**super().get_build_config(), "load_in": "with keras_approx.approx_scope():"}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), *super().__reduce__())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        restore, arguments = self.__reduce__()
        memo[id(self)] = copied = restore(*arguments)
        return copied

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """As `tf_keras.Model.from_config`."""
        names = config.get("output_names")
        model = super().from_config(
            {key: value for key, value in config.items() if key != "output_names"},
            {**CUSTOM_LAYERS, **(custom_objects or {})},
        )
        if names is not None:
            model.name_outputs(names)
        return model

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """As `tf_keras.Model.compile`.

        Raises:
            OptionError: If an object is of Keras 3, and tf_keras has no equivalent.
        """
        super().compile(
            converted("optimizer", optimizer),
            converted("loss", loss),
            converted("metric", metrics),
            loss_weights,
            converted("metric", weighted_metrics),
            *args,
            **kwargs,
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model as it was compiled when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `tf_keras.Model.fit`.

        Raises:
            OptionError: If a callback is of Keras 3.
        """
        callbacks = kwargs.get("callbacks") or []
        check_callbacks(callbacks)
        for callback in callbacks if isinstance(callbacks, (list, tuple)) else []:
            if hasattr(callback, "set_others"):
                callback.set_others(callbacks)
        data = converted_data(x)
        if isinstance(data, PyDatasetSequence):
            kwargs = {**data.fit_arguments, **kwargs}
        if "validation_data" in kwargs:
            kwargs["validation_data"] = converted_data(kwargs["validation_data"])
        return super().fit(data, y, *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `tf_keras.Model.evaluate`."""
        check_callbacks(kwargs.get("callbacks") or [])
        return super().evaluate(converted_data(x), y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """As `tf_keras.Model.predict`."""
        check_callbacks(kwargs.get("callbacks") or [])
        return super().predict(converted_data(x), *args, **kwargs)
