"""Random networks of all operators against TFLite's reference kernels, byte by byte.

    python -m benchmarks.exactness.random_networks                  # seeds 0 .. 999; resumes where it was stopped
    python -m benchmarks.exactness.random_networks --seed 417       # one of them again, with what differs

Each seed gives a network of 3 to 12 operators, with several inputs, branches, states and outputs, and three inferences
of random bytes. The graph as it was read, the graph behind all passes, and the host build of the export must give what
OpResolverType.BUILTIN_REF gives; so must every fifth network's build for an emulated Cortex-M33 or Cortex-M4. ELU and
SUM have no reference kernel to compare with, and are not among them. Saves JSON after each network: bytes and operators
of those that were right; those that failed are tried again by the next run. The exit status is 1 if a byte differs or a
network is refused.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import export
from benchmarks import FIGURES
from benchmarks.shared.options import CORES, argument_parser
from benchmarks.shared.records import recorded, write_json
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.errors import ExportError
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.passes import run_passes
from export.reading.flatbuffer import read_model
from tests.export.models.random_networks import random_network

RESULTS = FIGURES / "random_networks.json"
INFERENCES = 3
_EVERY = 5  # networks of which one runs on a core


def compare(seed: int) -> tuple[Counter[str], Counter[str]]:
    """Compares one network.

    Returns:
        Bytes compared and "wrong ..." ones, by what computed them; how often each operator is in the network.

    Raises:
        ExportError: It cannot be exported.
    """
    model = random_network(seed)
    graph = read_tflite(model)
    rng = np.random.default_rng(seed)
    shapes = [graph.tensors[tensor].shape[1:] for tensor in graph.inputs]
    given = [rng.integers(-128, 128, (INFERENCES, *shape)).astype(np.int8) for shape in shapes]
    wanted = _several(run_reference(model, given))
    found: Counter[str] = Counter()

    def check(what: str, outputs: Any) -> None:
        for output, expected in zip(_several(outputs), wanted, strict=True):
            found[what] += output.nbytes
            found[f"wrong {what}"] += int((output != expected[: len(output)]).sum())

    check("interpreter", run(graph, given))
    check("passes", run(run_passes(graph), given))
    with tempfile.TemporaryDirectory() as folder:
        activations = ("int16", "int8")[seed % 2]
        out = export.to_c(model, Path(folder) / "out", activations=activations).path
        check("host", build_host(out).run(given))
        if seed % _EVERY == 0:
            core = CORES[seed // _EVERY % len(CORES)]
            check(core, export.simulate(out, given, core=core).outputs)
    names = Counter(op.name for subgraph in read_model(model) for op in subgraph.operators)
    return found, names


def _several(outputs: Any) -> tuple[Any, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--networks", type=int, default=1000, help="seeds 0 to one less than this (default 1000)"
    )
    parser.add_argument("--seed", type=int, help="only this one; nothing is saved")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        found, names = compare(options.seed)
        print(dict(found), dict(names), sep="\n")
        return int(_wrong(found) > 0)
    record = {"networks": 0, "bytes": {}, "operators": {}, "failed": {}, **recorded(options.output)}
    for seed in [*map(int, record["failed"]), *range(record["networks"], options.networks)]:
        record["networks"] = max(record["networks"], seed + 1)
        what = _tried(seed, record)
        if what:
            record["failed"][str(seed)] = what
            print(f"seed {seed}: {what}", flush=True)
        else:
            record["failed"].pop(str(seed), None)
        write_json(options.output, record)
    print(f"{record['networks']} networks, {len(record['failed'])} of them failed: {record['bytes']}")
    return int(bool(record["failed"]))


def _tried(seed: int, record: dict[str, Any]) -> str:
    """What is wrong with a network, or nothing; one that is right is counted."""
    try:
        found, names = compare(seed)
    except (ExportError, AssertionError) as error:
        return str(error)
    if _wrong(found):
        return f"wrong bytes: {dict(found)}"
    for name, counted in (("bytes", found), ("operators", names)):
        record[name] = dict(sorted((Counter(record[name]) + counted).items()))
    return ""


def _wrong(found: Counter[str]) -> int:
    return sum(count for what, count in found.items() if what.startswith("wrong"))


if __name__ == "__main__":
    sys.exit(main())
