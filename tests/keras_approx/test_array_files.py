"""Array files hold arrays of any names, and a damaged one is told as such."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.array_files import read_arrays, write_arrays

NAMES = st.one_of(
    st.sampled_from(["file", "allow_pickle", "x.npy", "arr_0", "a/../b"]), st.text("abc/. _-é", min_size=1)
)


@given(names=st.lists(NAMES, max_size=5, unique=True), compress=st.booleans())
def test_arrays_come_back_by_their_names(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], compress: bool
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "some.npz"
    arrays = {name: np.full((2, number), number > 1) for number, name in enumerate(names)}
    with path.open("wb") as file:
        write_arrays(file, arrays, compress=compress)
    found = read_arrays(path)
    assert list(found) == names
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


@given(data=st.data(), compress=st.booleans())
def test_damage_is_a_value_error_or_not_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, compress: bool
) -> None:
    """Broken streams, flags of encryption, unknown methods: each has an error of its own in zipfile and zlib."""
    path = tmp_path_factory.mktemp("arrays") / "some.npz"
    with path.open("wb") as file:
        write_arrays(file, {"a": np.random.default_rng(0).random((8, 16)) < 0.5}, compress=compress)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    try:
        found = read_arrays(path)
    except ValueError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
