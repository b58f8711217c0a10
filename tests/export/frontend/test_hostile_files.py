"""Damaged and hostile files: an error of ours, or a model that is consistent; never anything else."""

import struct
import warnings
from functools import cache

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from export.errors import ExportError, ModelFormatError
from export.frontend import read_tflite
from export.ir.validate import validate
from export.passes import run_passes
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import random_network
from tests.export.models.recipes import RECIPES, network

MODEL = random_network(4)
WORDS = st.one_of(
    st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(MODEL), len(MODEL) - 4]),
    st.integers(0, 2**32 - 1),
    st.integers(0, len(MODEL)),
)


def read_or_refuse(data):
    try:
        graph = read_tflite(data)
    except ExportError as error:
        assert str(error)
        return
    validate(run_passes(graph))


@settings(max_examples=150)
@given(st.integers(0, len(MODEL) - 1))
def test_truncated(size):
    read_or_refuse(MODEL[:size])


def test_every_short_prefix():
    for size in range(64):
        with pytest.raises(ModelFormatError):
            read_tflite(MODEL[:size])


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(MODEL) - 1), st.integers(0, 7)), min_size=1, max_size=6))
def test_flipped_bits(flips):
    data = bytearray(MODEL)
    for place, bit in flips:
        data[place] ^= 1 << bit
    read_or_refuse(bytes(data))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(MODEL) // 4 - 1), WORDS), min_size=1, max_size=3))
def test_changed_words(changes):
    data = bytearray(MODEL)
    for place, word in changes:
        struct.pack_into("<I", data, 4 * place, word)
    read_or_refuse(bytes(data))


# Sizes, counts and scales as they make trouble: as numbers, and as the bits of single precision.
ODD_WORDS = [0, 1, 2, 3, 7, 64, 255, 1000, 65536, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
ODD_WORDS += [
    int(np.float32(value).view(np.uint32)) for value in (1e38, 1e20, 1e-10, 1e-38, np.nan, np.inf, -1.0, 0.5)
]


@cache
def model_of(recipe):
    return network(RECIPES[recipe])


@settings(max_examples=600)
@given(
    st.sampled_from(sorted(RECIPES)),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.sampled_from(ODD_WORDS)), min_size=1, max_size=3),
)
def test_changed_words_of_every_operator(recipe, changes):
    data = bytearray(model_of(recipe))
    for place, word in changes:
        struct.pack_into("<I", data, place % (len(data) // 4) * 4, word)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # products of scales beyond single precision
        read_or_refuse(bytes(data))


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_random_bytes(data):
    with pytest.raises(ModelFormatError):
        read_tflite(data)
    read_or_refuse(b"\x10\x00\x00\x00TFL3" + data)


@pytest.mark.parametrize("given", ["model.tflite", None, 3, ["TFL3"]])
def test_what_is_not_bytes(given):
    with pytest.raises(ModelFormatError, match=f"as bytes, got {type(given).__name__}: read the file first"):
        read_tflite(given)


def test_other_files():
    for data in (b"", b"TFL3", b"\x89HDF\r\n\x1a\n" + bytes(100), b"PK\x03\x04" + bytes(100)):
        with pytest.raises(ModelFormatError, match="expected a TFLite flatbuffer"):
            read_tflite(data)


def test_a_million_operators_that_share_their_bytes():
    graph = schema.Model.GetRootAs(MODEL, 0).Subgraphs(0)
    count = 1_000_000
    field = graph._tab.Pos + graph._tab.Offset(10)
    start = (len(MODEL) + 3) // 4 * 4
    data = bytearray(MODEL.ljust(start, b"\0"))
    struct.pack_into("<I", data, field, start - field)
    table = start + 4 + 4 * count + 4  # behind the vector: an empty vtable, then the one operator
    offsets = (table - (start + 4 + 4 * i) for i in range(count))
    data += struct.pack(f"<{count + 1}I", count, *offsets) + struct.pack("<HHi", 4, 4, 4)
    with pytest.raises(ModelFormatError, match="overlap"):
        read_tflite(bytes(data))


@pytest.mark.parametrize("name", ['"); system("', "../../x", "x" * 300, "läyer\n\x00", ""])
def test_hostile_names_stay_in_the_tensor(name):
    builder = ModelBuilder()
    x = builder.tensor((1, 4), 0.1, name=name)
    graph = read_tflite(builder.finish(x, builder.elementwise("RELU", x, 0.1, 0)))
    assert graph.tensors[graph.input].name == name
