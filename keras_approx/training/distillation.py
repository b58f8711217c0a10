"""Distillation: a model learns from what another says about each sample, not only from the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_approx.compat import plain_settings, tf
from keras_approx.errors import UnsupportedModelError
from keras_approx.keras3 import converted
from keras_approx.training.options import Distillation
from keras_approx.training.tasks import Task, last_activation, tasks_of, weights_of
from keras_approx.wrapped_model import WrappedModel

SMALLEST = 1e-30
"""Probability whose logarithm and inverse a float32 holds."""
ROUNDED = 2.0**-25
"""What stands for 1 - p where a float32 p is 1: half of its last digit."""

_ENDS = {"classes": ("softmax", "linear"), "labels": ("sigmoid", "linear")}


def distill(student: Any, teacher: Any, *, temperature: float = 3.0, weight: float = 0.5) -> Any:
    """Makes a model that trains the student's own layers with a teacher's help (Hinton et al., 2015).

    The loss is (1 - weight) times the one it is compiled with, plus weight times a distance from the teacher, which
    follows from that loss. Of several outputs each has a distance that follows from its own loss, and they are added up
    with the `loss_weights` of `compile`.

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
        UnsupportedModelError: If shapes differ; when it is compiled, if a model ends in
            an activation that does not go with the loss.
    """
    Distillation(weight, temperature)  # which checks them
    for what in ("inputs", "outputs"):
        a, b = ([tuple(tensor.shape)[1:] for tensor in getattr(model, what)] for model in (student, teacher))
        if a != b:
            raise UnsupportedModelError(
                f"{what} of student and teacher have shapes {_shapes(a)} and {_shapes(b)}: expected the same"
            )
    with plain_settings():
        return DistilledModel(student, teacher, float(temperature), float(weight))


class DistilledModel(WrappedModel):
    """The student, trained with a teacher; see `distill`."""

    def __init__(self, student: Any, teacher: Any, temperature: float, weight: float) -> None:
        super().__init__(inputs=student.inputs, outputs=student.outputs, name=student.name)
        self.name_outputs(student.output_names)
        # In closures, so that Keras does not take the teacher for a part of the model.
        self._make_distance = lambda tasks, weights: _distances(tasks, weights, student, teacher, temperature)
        self._distance: Callable[[Any, Any, Any], Any] | None = None
        self.weight = weight

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """As `tf_keras.Model.compile`; the loss says what to learn from the teacher.

        Raises:
            OptionError: If there is no loss, or not one for each output.
            UnsupportedModelError: If student or teacher end in an activation that does not go with the loss.
        """
        tasks = tasks_of(self, loss)
        self._distance = self._make_distance(tasks, weights_of(tasks, loss_weights))
        super().compile(optimizer, converted("loss", loss), metrics, loss_weights, *args, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        assert self._distance is not None
        # Gradients are added up over replicas, as those of the compiled loss.
        mean = self._distance(x, y_pred, sample_weight) / self.distribute_strategy.num_replicas_in_sync
        return (1 - self.weight) * loss + self.weight * mean

    def get_config(self) -> dict[str, Any]:
        """The student's."""
        plain = WrappedModel(self.inputs, self.outputs, name=self.name)
        plain.name_outputs(self.output_names)
        return plain.get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The student: there is no teacher in the configuration."""
        return WrappedModel.from_config(config, custom_objects)


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))


def _distances(
    tasks: Sequence[Task], weights: Sequence[float], student: Any, teacher: Any, temperature: float
) -> Callable[[Any, Any, Any], Any]:
    """The weighted sum of the outputs' mean distances from the teacher's, of (x, outputs, sample weights)."""
    several = [_distance(task, number, student, teacher, temperature) for number, task in enumerate(tasks)]
    names = [task.output for task in tasks]

    def total(x: Any, outputs: Any, sample_weight: Any) -> Any:
        given = [x[name] for name in student.input_names] if isinstance(x, Mapping) else x
        said, found = tf.nest.flatten(teacher(given, training=False)), tf.nest.flatten(outputs)
        counts = _of_outputs(sample_weight, names)
        means = []
        for distance, theirs, ours, count in zip(several, said, found, counts, strict=True):
            apart = distance(tf.convert_to_tensor(theirs), tf.convert_to_tensor(ours))
            if count is not None:
                apart *= tf.cast(tf.reshape(count, [-1, *[1] * (apart.shape.rank - 1)]), apart.dtype)
            means.append(tf.reduce_mean(apart))
        return tf.add_n([weight * mean for weight, mean in zip(weights, means, strict=True)])

    return total


def _of_outputs(sample_weight: Any, names: Sequence[str]) -> Sequence[Any]:
    """The samples' weights for each output: those that all outputs share, or their own."""
    if isinstance(sample_weight, Mapping):
        return [sample_weight.get(name) for name in names]
    if isinstance(sample_weight, (tuple, list)):
        return sample_weight
    return [sample_weight] * len(names)


def _distance(
    task: Task, number: int, student: Any, teacher: Any, temperature: float
) -> Callable[[Any, Any], Any]:
    """How far an output of the student is from the teacher's: float32 [samples, ...], of (teacher's, student's)."""
    if task.kind == "values":
        return task.distance()
    ends = []
    for what, model in (("teacher", teacher), ("student", student)):
        end = last_activation(model, number)
        if end not in _ENDS[task.kind]:
            raise UnsupportedModelError(
                f"the {what} {model.name!r} ends in {end}, but the loss {task.name} goes with "
                f"{' or '.join(_ENDS[task.kind])}: give another loss, or leave the teacher out"
            )
        ends.append(end)
    logits, divergence = (
        (_logits_of_classes, _divergence)
        if task.kind == "classes"
        else (_logits_of_labels, _label_divergence)
    )
    return lambda said, found: divergence(
        logits(said, ends[0] != "linear"), logits(found, ends[1] != "linear"), temperature
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
    if not probabilities:
        return outputs
    found = _argument_of("Softmax", outputs)
    return tf.math.log(tf.maximum(outputs, SMALLEST)) if found is None else found


def _logits_of_labels(outputs: Any, probabilities: bool) -> Any:
    if not probabilities:
        return outputs
    found = _argument_of("Sigmoid", outputs)
    if found is not None:
        return found
    fails = tf.maximum(1 - outputs, ROUNDED)
    return tf.math.log(tf.maximum(outputs, SMALLEST)) - tf.math.log(fails)


def _argument_of(kind: str, outputs: Any) -> Any:
    """What an operation of a TensorFlow graph computed the outputs from; None if another did, or there is no graph."""
    operation = None if tf.executing_eagerly() else outputs.op
    return operation.inputs[0] if operation is not None and operation.type == kind else None
