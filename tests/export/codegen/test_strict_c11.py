"""The C of every test network is C11 to the letter, on the host and on a core that runs the portable kernels."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from export.codegen import emit_project
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, plan_network
from export.schedule.estimate import estimate_schedule
from export.targets import resolve
from tests.export.models.networks import Layers, random_network, single_op_models

_STRICT = ["clang", "-fsyntax-only", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror"]
_PLATFORMS = {
    "host": [],
    "cortex-m0plus": [
        *("--target=arm-none-eabi", "-mcpu=cortex-m0plus", "-mthumb"),
        *("-isystem", "/usr/lib/arm-none-eabi/include"),
    ],
}


def pointwise(size: int) -> bytes:
    """A 1 x 1 convolution, whose kernels end differently with the number of positions."""
    network = Layers(np.random.default_rng(size))
    x = network.input((size, size, 4))
    return network.builder.finish(x, network.conv(x, 6, (1, 1)))


def networks() -> dict[str, bytes]:
    found = {f"random{seed}": random_network(seed, dead=0.2 * (seed % 2)) for seed in range(30)}
    found |= {f"pointwise{size}": pointwise(size) for size in (1, 2, 3, 5, 6, 7, 8, 9, 11, 13)}
    return found | single_op_models()


@pytest.mark.parametrize("core", _PLATFORMS)
def test_clang_takes_it_with_pedantic(core: str, tmp_path: Path) -> None:
    """One file includes all networks, which takes a tenth of the time of a compiler for each."""
    target = resolve(core)
    whole = []
    for name, model in networks().items():
        schedule = plan_network(run_passes(read_tflite(model)), Requirements(target))
        project = emit_project(schedule, estimate_schedule(schedule, target), name)
        for file, text in project.files.items():
            (tmp_path / file).write_text(text)
        whole += [
            f"#define arena {name}_arena",
            *(f'#include "{file}"' for file in project.sources),
            "#undef arena",
        ]
    (tmp_path / "whole.c").write_text("\n".join([*whole, ""]))
    command = [*_STRICT, *_PLATFORMS[core], str(tmp_path / "whole.c")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
