"""The C of a set of networks, as hashes: a change that is meant to change no C changes none of them.

`python -m tests.export.test_golden_c` writes new hashes, for a change that is meant to.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from export.codegen import emit_project
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, plan_network
from export.schedule.estimate import estimate_schedule
from export.targets import resolve
from tests.export.models.networks import Layers, random_network

GOLDEN = Path(__file__).parent / "golden_c.json"
DESIGNS = Path(__file__).parents[2] / "benchmarks/results/designs"
TARGETS = ("cortex-m33", "cortex-m4", "cortex-m3", "host")
SEEDS = range(30)


def separable_network() -> bytes:
    """A convolution and five depthwise-separable ones, of the shapes of `examples/networks.py`'s dscnn."""
    network = Layers(np.random.default_rng(0), zeros=0.1)
    start = network.input((32, 32, 3))
    x = network.conv(start, 32, activation="relu")
    for filters, stride in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        x = network.depthwise(x, stride=(stride, stride), activation="relu")
        x = network.conv(x, filters, (1, 1), activation="relu")
    return network.builder.finish(start, network.dense(network.mean(x), 10))


def networks() -> dict[str, bytes]:
    found = {
        name: (DESIGNS / f"{name}_exact.tflite").read_bytes() for name in ("lenet", "alexnet", "resnet8")
    }
    found["dscnn"] = separable_network()
    return found | {f"random{seed}": random_network(seed, dead=0.2 * (seed % 2)) for seed in SEEDS}


def hashes(model: bytes, target: str) -> dict[str, str]:
    """A short hash of each file of an export, by its name."""
    resolved = resolve(target)
    schedule = plan_network(run_passes(read_tflite(model)), Requirements(resolved))
    files = emit_project(schedule, estimate_schedule(schedule, resolved), "model").files
    return {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in sorted(files.items())}


@pytest.mark.parametrize("name", networks())
def test_c_is_as_it_was(name: str) -> None:
    golden = json.loads(GOLDEN.read_text())[name]
    model = networks()[name]
    assert {target: hashes(model, target) for target in TARGETS} == golden


if __name__ == "__main__":
    found = {name: {t: hashes(model, t) for t in TARGETS} for name, model in networks().items()}
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
