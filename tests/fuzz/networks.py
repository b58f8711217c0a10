"""Damaged models, and networks that every compiler has to compute as the reference kernels do."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from export.analysis.interpreter import run
from export.api import estimate, to_c
from export.artifact.compiling import build_host
from export.errors import ExportError, TargetError
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.validate import validate
from export.packaging.names import LAYOUT_NAMES
from export.passes import run_passes
from export.simulation import simulate
from export.targets import BOARDS, CORES
from tests.export.comparison import inputs_of
from tests.export.models.networks import random_network, single_op_models
from tests.fuzz.mutation import damaged_bytes

_IMAGES = 6


@cache
def _single() -> list[bytes]:
    return list(single_op_models().values())


def _network(rng: np.random.Generator) -> bytes:
    if rng.random() < 0.2:
        models = list(single_op_models(int(rng.integers(1 << 31))).values())
        return models[int(rng.integers(len(models)))]
    return random_network(int(rng.integers(1 << 31)), dead=float(rng.choice([0.0, 0.2, 0.6])))


def models(rng: np.random.Generator) -> str:
    """A damaged file is refused, or is a consistent model that can be priced and exported."""
    single = _single()
    whole = (
        single[int(rng.integers(len(single)))]
        if rng.random() < 0.5
        else random_network(int(rng.integers(50)))
    )
    data = damaged_bytes(rng, whole)
    target = str(rng.choice([*CORES, *BOARDS]))
    try:
        graph = read_tflite(data)
    except ExportError as error:
        assert str(error)
        return "refused"
    validate(run_passes(graph))
    with tempfile.TemporaryDirectory() as folder:
        try:
            estimate(data, target=target)
            to_c(data, Path(folder, "out"), target=target)
        except TargetError:
            return "too large"
    return "exported"


def networks(rng: np.random.Generator) -> str:
    """Both compilers, one of them with sanitizers, give what the interpreter and the reference kernels give."""
    data = _network(rng)
    graph = read_tflite(data)
    inputs = inputs_of(graph, _IMAGES)
    expected = run(graph, inputs)
    np.testing.assert_array_equal(run_reference(data, inputs), expected, "reference kernels")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        target, activations = str(rng.choice([*CORES])), str(rng.choice(["int16", "int8"]))
        to_c(data, out, target=target, activations=activations, layout=str(rng.choice(LAYOUT_NAMES)))
        for compiler in ("gcc", "clang"):
            found = build_host(out, sanitize=compiler == "gcc", cc=compiler).run(inputs)
            np.testing.assert_array_equal(found, expected, f"{compiler}, {target}, {activations}")
    return "exact"


def arm(rng: np.random.Generator) -> str:
    """The cross-compiled code gives the same, emulated."""
    data = _network(rng)
    graph = read_tflite(data)
    inputs = inputs_of(graph, 3)
    core, compiler = str(rng.choice(sorted(set(CORES) - {"host"}))), str(rng.choice(["gcc", "clang"]))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        to_c(data, out, target=core, activations=str(rng.choice(["int16", "int8"])))
        found = simulate(out, inputs, core=core, compiler=compiler).outputs
    np.testing.assert_array_equal(found, run(graph, inputs), f"{core}, {compiler}")
    return "exact"
