"""What is pure NumPy works without TensorFlow, and the public names are there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import keras_approx


def test_numpy_modules_do_not_import_tensorflow() -> None:
    code = (
        "import sys, keras_approx, keras_approx.skipping.elimination, keras_approx.skipping.selection\n"
        "keras_approx.masks, keras_approx.significance, keras_approx.schedules\n"
        "assert not {'tensorflow', 'tf_keras', 'keras'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names() -> None:
    for name in keras_approx.__all__:
        assert getattr(keras_approx, name) is not None
    assert callable(keras_approx.wrap)
    assert callable(keras_approx.summary)
    with pytest.raises(AttributeError, match="no attribute 'explode'"):
        keras_approx.explode  # type: ignore[attr-defined] # noqa: B018
