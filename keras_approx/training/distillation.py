"""Distillation: a model learns from what another says about each sample, not only from the labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_approx.compat import plain_settings, tf
from keras_approx.errors import OptionError, UnsupportedModelError
from keras_approx.graph.topology import check_single_ends
from keras_approx.keras3 import converted
from keras_approx.training.tasks import Task, last_activation, task_of
from keras_approx.wrapped_model import WrappedModel

SMALLEST = 1e-30  # probability whose logarithm and inverse a float32 holds

_ENDS = {"classes": ("softmax", "linear"), "labels": ("sigmoid", "linear")}


def distill(student: Any, teacher: Any, *, temperature: float = 3.0, weight: float = 0.5) -> Any:
    """Makes a model that trains the student's own layers with a teacher's help (Hinton et al., 2015).

    The loss is (1 - weight) times the one it is compiled with, plus weight times a distance from the teacher, which
    follows from that loss:

    - of a crossentropy of classes: temperature^2 times the divergence of the student's class probabilities from the
      teacher's, both softened by the temperature;
    - of a binary crossentropy: the same for each label on its own, the mean over labels;
    - of values, such as "mse": that loss, with what the teacher says in place of the labels; the mean squared error
      where the loss is none of Keras's for values.

    Evaluation and prediction are the student's alone.

    Args:
        student: A wrapped model, which shares its layers with the model returned: training one trains the
            other, and masks of one are those of the other.
        teacher: A tf_keras or Keras 3 model of the same inputs and outputs, such as the exact model. It does
            not train.
        temperature: Divides logits; higher ones show more of how the teacher ranks wrong classes.
        weight: Of the teacher, 0 to 1.

    Returns:
        A functional tf_keras model, not compiled. Saved and loaded in approx_scope it is a plain wrapped model
        without the teacher, with its optimizer; distill again to go on.

    Raises:
        OptionError: If the temperature or the weight is none of the above.
        UnsupportedModelError: If shapes differ or there are several inputs or outputs;
            when it is compiled, if a model ends in an activation that does not
            go with the loss.
    """
    if not 0 < temperature < float("inf") or not 0 <= weight <= 1:
        raise OptionError(
            f"expected a temperature above 0 and a weight between 0 and 1, got {temperature} and {weight}"
        )
    for model in (student, teacher):
        check_single_ends(model, "distillation")
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
        # In closures, so that Keras does not take the teacher for a part of the model.
        self._make_distance = lambda task: _distance(task, student, teacher, temperature)
        self._distance: Callable[[Any, Any], Any] | None = None
        self.weight = weight

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, *args: Any, **kwargs: Any) -> None:
        """As `tf_keras.Model.compile`; the loss says what to learn from the teacher.

        Raises:
            OptionError: If there is no loss.
            UnsupportedModelError: If student or teacher end in an activation that does not go with the loss.
        """
        self._distance = self._make_distance(task_of(self, loss))
        super().compile(optimizer, converted("loss", loss), *args, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        assert self._distance is not None
        distance = self._distance(x, y_pred)
        if sample_weight is not None:
            distance *= tf.cast(sample_weight, distance.dtype)
        # Gradients are added up over replicas, as those of the compiled loss.
        mean = tf.reduce_mean(distance) / self.distribute_strategy.num_replicas_in_sync
        return (1 - self.weight) * loss + self.weight * mean

    def get_config(self) -> dict[str, Any]:
        """The student's."""
        return WrappedModel(self.inputs, self.outputs, name=self.name).get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The student: there is no teacher in the configuration."""
        return WrappedModel.from_config(config, custom_objects)


def _distance(task: Task, student: Any, teacher: Any, temperature: float) -> Callable[[Any, Any], Any]:
    """The distance of the student's outputs from the teacher's for some inputs: float32 [samples], of (x, outputs)."""
    if task.kind == "values":
        values = task.distance()
        return lambda x, outputs: values(tf.convert_to_tensor(teacher(x, training=False)), outputs)
    for what, model in (("student", student), ("teacher", teacher)):
        end = last_activation(model)
        if end not in _ENDS[task.kind]:
            raise UnsupportedModelError(
                f"the {what} {model.name!r} ends in {end}, but the loss {task.name} goes with "
                f"{' or '.join(_ENDS[task.kind])}: give another loss, or leave the teacher out"
            )
    logits, divergence = (
        (_logits_of_classes, _divergence)
        if task.kind == "classes"
        else (_logits_of_labels, _label_divergence)
    )
    ends = last_activation(teacher) != "linear", last_activation(student) != "linear"
    return lambda x, outputs: divergence(
        logits(teacher(x, training=False), ends[0]), logits(outputs, ends[1]), temperature
    )


def _divergence(teacher: Any, student: Any, temperature: float) -> Any:
    """Kullback-Leibler divergence of softened probabilities for each sample, times temperature^2.

    Gradients fall with the square of the temperature; the factor keeps the weight's meaning.
    """
    said = tf.nn.softmax(teacher / temperature)
    difference = tf.nn.log_softmax(teacher / temperature) - tf.nn.log_softmax(student / temperature)
    return temperature**2 * tf.reduce_sum(said * difference, axis=-1)


def _label_divergence(teacher: Any, student: Any, temperature: float) -> Any:
    """The same for independent binary labels: the mean over labels."""
    a, b = teacher / temperature, student / temperature
    holds = tf.sigmoid(a) * (tf.math.log_sigmoid(a) - tf.math.log_sigmoid(b))
    fails = tf.sigmoid(-a) * (tf.math.log_sigmoid(-a) - tf.math.log_sigmoid(-b))
    return temperature**2 * tf.reduce_mean(holds + fails, axis=-1)


def _logits_of_classes(outputs: Any, probabilities: bool) -> Any:
    """Logits up to a constant, to which softmax is invariant."""
    outputs = tf.convert_to_tensor(outputs)
    return tf.math.log(tf.maximum(outputs, SMALLEST)) if probabilities else outputs


def _logits_of_labels(outputs: Any, probabilities: bool) -> Any:
    outputs = tf.convert_to_tensor(outputs)
    if not probabilities:
        return outputs
    return tf.math.log(tf.maximum(outputs, SMALLEST)) - tf.math.log(tf.maximum(1 - outputs, SMALLEST))
