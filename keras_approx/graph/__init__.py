"""A Keras model as plain data: reading it, rewriting it for quantization, and building a tf_keras model from it."""
