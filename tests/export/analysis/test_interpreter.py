"""Whole networks against the reference kernels, and the interpreter's own contract."""

import numpy as np
import pytest

from export.analysis.interpreter import run, trace
from export.errors import InputError
from export.frontend import read_tflite
from export.frontend.reference import make_interpreter, run_reference
from tests.export.comparison import assert_interpreter_is_exact, inputs_of
from tests.export.models.networks import random_network


@pytest.mark.parametrize("seed", range(25))
def test_random_network(seed):
    assert_interpreter_is_exact(random_network(seed))


def test_trace_yields_every_activation_as_the_reference_has_it():
    model = random_network(3)
    graph = read_tflite(model)
    inputs = inputs_of(graph, 1)
    reference = make_interpreter(model, keep_activations=True)
    reference.allocate_tensors()
    reference.set_tensor(reference.get_input_details()[0]["index"], inputs)
    reference.invoke()
    places = {detail["name"]: detail["index"] for detail in reference.get_tensor_details()}
    traced = list(trace(graph, inputs))
    assert [index for index, _ in traced] == [graph.input, *(op.output for op in graph.ops)]
    for index, values in traced:
        expected = reference.get_tensor(places[graph.tensors[index].name])
        np.testing.assert_array_equal(values, expected.reshape(values.shape))


def test_more_inputs_than_run_takes_at_a_time():
    graph = read_tflite(random_network(1))
    inputs = inputs_of(graph, 70)
    one_by_one = np.concatenate([run(graph, inputs[i : i + 1]) for i in range(70)])
    np.testing.assert_array_equal(run(graph, inputs), one_by_one)


def test_no_inputs_give_no_outputs():
    graph = read_tflite(random_network(1))
    outputs = run(graph, inputs_of(graph)[:0])
    assert outputs.shape == (0, *graph.tensors[graph.output].shape[1:])


@pytest.mark.parametrize(
    "change",
    [lambda x: x.astype(np.float32), lambda x: x[:, 1:], lambda x: x[0], lambda x: x.tolist()],
    ids=["type", "shape", "no batch", "list"],
)
def test_wrong_inputs(change):
    model = random_network(1)
    graph = read_tflite(model)
    for call, network in ((run, graph), (run_reference, model)):
        with pytest.raises(InputError, match="expected int8 inputs of shape"):
            call(network, change(inputs_of(graph)))
        with pytest.raises(InputError, match="expected 1 input, got 2"):
            call(network, [inputs_of(graph)] * 2)
