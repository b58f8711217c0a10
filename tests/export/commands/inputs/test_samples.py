"""Samples: what is accepted, what is refused and how, and the split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.commands.inputs.samples import Samples, check_apart, read_samples, split
from export.errors import InputError

X = np.arange(24, dtype=np.float64).reshape(4, 2, 3)
Y = np.array([0, 1, 2, 1])


def _save(tmp_path, **arrays):
    path = tmp_path / "samples.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize("kind", [np.float64, np.uint8, np.int16])
@pytest.mark.parametrize("labels", [Y, Y[:, None], Y.astype(np.uint8)], ids=["flat", "column", "uint8"])
def test_reads_numbers_as_they_are(tmp_path, kind, labels):
    samples = read_samples(_save(tmp_path, a=X.astype(kind), b=labels), inputs="a", labels="b", shape=(2, 3))
    assert (samples.inputs.dtype, samples.targets.dtype) == (np.float32, np.int64)
    assert np.array_equal(samples.inputs, X)
    assert np.array_equal(samples.targets, Y)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"labels": Y}, "the array 'inputs' in .* found labels; name the arrays with --inputs-array"),
        ({"inputs": X}, "the array 'labels'"),
        ({"inputs": X[0, 0], "labels": Y}, r"hold numbers \[n, ...\], got float64 \[3\]"),
        ({"inputs": X.astype(str), "labels": Y}, "hold numbers"),
        ({"inputs": X[:, 0], "labels": Y}, r"the shape \[n, 2, 3\] that the model takes, got \[4, 3\]"),
        ({"inputs": X[:0], "labels": Y[:0]}, "expected samples"),
        ({"inputs": np.where(X == 5, np.nan, X), "labels": Y}, "NaN"),
        ({"inputs": X, "labels": Y[:3]}, "4 inputs, but 3 labels"),
        ({"inputs": X, "labels": Y - 1}, "class numbers"),
        ({"inputs": X, "labels": Y + 0.5}, "class numbers"),
        ({"inputs": X, "labels": np.eye(4)}, "argmax"),
        ({"inputs": X.astype(object), "labels": Y}, "expected .* to be an .npz file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_what_it_cannot_use(tmp_path, arrays, expected):
    with pytest.raises(InputError, match=expected):
        read_samples(_save(tmp_path, **arrays), shape=(2, 3))


def test_refuses_files_that_are_something_else(tmp_path):
    for name, content in (("text.npz", b"hello"), ("empty.npz", b""), ("zip.npz", b"PK\x03\x04 broken")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"to be an \.npz file"):
            read_samples(str(tmp_path / name))
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(InputError, match="one array without a name"):
        read_samples(str(tmp_path / "one.npy"))
    with pytest.raises(InputError, match=r"no file .*check the path"):
        read_samples(str(tmp_path / "missing.npz"))


@given(n=st.integers(2, 60), share=st.floats(0.05, 0.95), seed=st.integers(0, 3))
def test_split_is_a_partition_that_the_seed_decides(n, share, seed):
    samples = Samples("x", np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n))
    apart = round(share * n)
    if not 0 < apart < n:
        with pytest.raises(InputError, match="expected enough samples"):
            split(samples, share, seed)
        return
    rest, held_out = split(samples, share, seed)
    assert len(held_out) == apart
    assert sorted([*rest.targets, *held_out.targets]) == list(range(n))
    for part in (rest, held_out):
        assert np.array_equal(part.inputs[:, 0], 2 * part.targets)
    again = split(samples, share, seed)
    assert np.array_equal(again[0].targets, rest.targets)
    assert np.array_equal(again[1].targets, held_out.targets)


def test_test_samples_must_be_others(tmp_path):
    paths = [tmp_path / f"{name}.npz" for name in ("train", "copy", "mixed", "other")]
    for path, inputs in zip(paths, (X, X[::-1], np.concatenate([X[:1], X + 100]), X + 100), strict=True):
        np.savez(path, inputs=inputs)
    train, copy, mixed, other = (read_samples(str(path), labels=None) for path in paths)
    with pytest.raises(InputError, match="are the same file"):
        check_apart(train, train)
    with pytest.raises(InputError, match="all samples of"):
        check_apart(copy, train)
    assert check_apart(mixed, train) == f"warning: 1 of 5 test samples are also in {train.source!r}"
    assert check_apart(other, train) is None
