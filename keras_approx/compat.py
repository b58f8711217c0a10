"""TensorFlow, Keras 2 and the model optimization toolkit: the only place that imports them.

The toolkit works on Keras 2 (the `tf_keras` package) alone. TensorFlow decides at the first use of `tf.keras`
which Keras that is, so the environment variable is set before anything touches it; a process that already
resolved `tf.keras` to Keras 3 keeps it, and nothing here depends on `tf.keras`.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras

__all__ = ["keras", "tf", "tfmot"]
