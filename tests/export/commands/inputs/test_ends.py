"""Models of several inputs or outputs are told so before samples are compared with them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from export.commands.inputs.ends import input_shape, output_shape
from export.errors import InputError


def test_one_of_each() -> None:
    model = SimpleNamespace(name="m", input_shape=(None, 4, 3), output_shape=(None, 10))
    assert (input_shape(model), output_shape(model)) == ((4, 3), (10,))


@pytest.mark.parametrize("shape", [[(None, 4), (None, 4)], {"a": (None, 4), "b": (None, 2)}])
def test_several(shape: object) -> None:
    model = SimpleNamespace(name="m", input_shape=shape, output_shape=shape)
    with pytest.raises(InputError, match="a model of one input, 'm' has 2: the Python functions"):
        input_shape(model)
    with pytest.raises(InputError, match="a model of one output, 'm' has 2: because"):
        output_shape(model, "because")


def test_none_yet() -> None:
    with pytest.raises(InputError, match="no input shape yet"):
        input_shape(SimpleNamespace(name="m"))
