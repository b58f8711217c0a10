"""TensorFlow, Keras 2 and the model optimization toolkit: the only place that imports them.

The toolkit works on Keras 2 (the `tf_keras` package) alone. TensorFlow decides at the first use of `tf.keras`
which Keras that is, so the environment variable is set before anything touches it; a process that already
resolved `tf.keras` to Keras 3 keeps it, and nothing here depends on `tf.keras`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from keras_approx.errors import MissingPackageError

os.environ["TF_USE_LEGACY_KERAS"] = "1"

try:
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras as keras
except ModuleNotFoundError as error:
    raise MissingPackageError(
        f"Keras models need {error.name}, which is not installed: pip install 'keras_approx[train]'",
        name=error.name,
    ) from error

__all__ = ["keras", "plain_settings", "tf", "tfmot"]


@contextmanager
def plain_settings() -> Iterator[None]:
    """A context in which tf_keras builds float32, channels-last models, whatever the process has set globally."""
    policy = keras.mixed_precision.global_policy()
    data_format, precision = keras.backend.image_data_format(), keras.backend.floatx()
    keras.backend.set_floatx("float32")
    keras.backend.set_image_data_format("channels_last")
    keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)
        keras.backend.set_image_data_format(data_format)
        keras.backend.set_floatx(precision)
