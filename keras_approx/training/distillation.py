"""Distillation: a model learns from what another says about each sample, not only from the labels."""

from __future__ import annotations

from typing import Any

from keras_approx.compat import plain_settings, tf
from keras_approx.errors import OptionError, UnsupportedModelError
from keras_approx.graph.topology import calls
from keras_approx.layers.quantized_layers import QuantizeActivation
from keras_approx.wrapped_model import WrappedModel

SMALLEST = 1e-30  # probability whose logarithm and inverse a float32 holds


def distill(student: Any, teacher: Any, *, temperature: float = 3.0, weight: float = 0.5) -> Any:
    """Makes a model that trains the student's own layers with a teacher's help (Hinton et al., 2015).

    The loss is (1 - weight) times the one it is compiled with, plus weight times temperature^2 times the
    divergence of the student's class probabilities from the teacher's, both softened by the temperature.
    Evaluation and prediction are the student's alone.

    Args:
        student: A wrapped model, which shares its layers with the model returned: training one trains the
            other, and masks of one are those of the other.
        teacher: A tf_keras or Keras 3 model of the same inputs and classes, such as the exact model. It does
            not train.
        temperature: Divides logits; higher ones show more of how the teacher ranks wrong classes.
        weight: Of the teacher, 0 to 1.

    Returns:
        A functional tf_keras model, not compiled. Saved and loaded in approx_scope it is a plain wrapped model
        without the teacher, with its optimizer; distill again to go on.

    Raises:
        OptionError: If the temperature or the weight is none of the above.
        UnsupportedModelError: If a model's output is neither softmax nor logits, or shapes differ.
    """
    if not temperature > 0 or not 0 <= weight <= 1:
        raise OptionError(
            f"expected a temperature above 0 and a weight between 0 and 1, got {temperature} and {weight}"
        )
    for what, a, b in (
        ("inputs", student.input_shape, teacher.input_shape),
        ("outputs", student.output_shape, teacher.output_shape),
    ):
        if tuple(a[1:]) != tuple(b[1:]):
            raise UnsupportedModelError(
                f"{what} of student and teacher have shapes {a} and {b}: expected one"
            )
    with plain_settings():
        return DistilledModel(student, teacher, float(temperature), float(weight))


class DistilledModel(WrappedModel):
    """The student, trained with a teacher; see `distill`."""

    def __init__(self, student: Any, teacher: Any, temperature: float, weight: float) -> None:
        super().__init__(inputs=student.inputs, outputs=student.outputs, name=student.name)
        softens = gives_probabilities(student), gives_probabilities(teacher)
        # In a closure, so that Keras does not take the teacher for a part of the model.
        self._divergence = lambda x, y_pred: _divergence(
            _logits(teacher(x, training=False), softens[1]), _logits(y_pred, softens[0]), temperature
        )
        self.weight = weight

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        divergence = self._divergence(x, y_pred)
        if sample_weight is not None:
            divergence *= tf.cast(sample_weight, divergence.dtype)
        # Gradients are added up over replicas, as those of the compiled loss.
        mean = tf.reduce_mean(divergence) / self.distribute_strategy.num_replicas_in_sync
        return (1 - self.weight) * loss + self.weight * mean

    def get_config(self) -> dict[str, Any]:
        """The student's."""
        return WrappedModel(self.inputs, self.outputs, name=self.name).get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The student: there is no teacher in the configuration."""
        return WrappedModel.from_config(config, custom_objects)


def _divergence(teacher: Any, student: Any, temperature: float) -> Any:
    """Kullback-Leibler divergence of softened probabilities for each sample, times temperature^2.

    Gradients fall with the square of the temperature; the factor keeps the weight's meaning.
    """
    said = tf.nn.softmax(teacher / temperature)
    difference = tf.nn.log_softmax(teacher / temperature) - tf.nn.log_softmax(student / temperature)
    return temperature**2 * tf.reduce_sum(said * difference, axis=-1)


def _logits(outputs: Any, probabilities: bool) -> Any:
    """Logits up to a constant, which softmax does not see."""
    outputs = tf.convert_to_tensor(outputs)
    return tf.math.log(tf.maximum(outputs, SMALLEST)) if probabilities else outputs


def gives_probabilities(model: Any) -> bool:
    """Whether a model ends in softmax; if not, its outputs must be logits."""
    found = calls(model)
    last = found[-1]
    while isinstance(last.layer, QuantizeActivation):
        last = found[last.inputs[0]]
    if type(last.layer).__name__ == "Softmax":
        return True
    activation = getattr(getattr(last.layer, "activation", None), "__name__", "linear")
    if activation not in ("softmax", "linear") or model.output_shape[-1] < 2:
        raise UnsupportedModelError(
            f"model {model.name!r} ends in {activation} with {model.output_shape[-1]} outputs; distillation "
            "needs softmax or logits of at least 2 classes"
        )
    return bool(activation == "softmax")
