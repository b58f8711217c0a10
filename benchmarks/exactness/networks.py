"""Bit-exactness of exported networks against TFLite's reference kernels, byte by byte.

    python -m benchmarks.exactness.networks --output examples.json          # the networks of the examples
    python -m benchmarks.exactness.networks models/*.tflite --output models.json    # any files, inputs and outputs
    python -m benchmarks.exactness.networks lenet --kept 0.25 --activations int8 --output lenet.json

Each network is exported; the interpreter, the host build, and the builds for an emulated Cortex-M33 and Cortex-M4 must
give what OpResolverType.BUILTIN_REF gives. The networks of the examples get test images, all others random bytes, one
after the other where they keep states. Prints a table and saves JSON; what cannot be exported is listed with what is in
its way. The exit status is 1 if a byte differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import export
from benchmarks import FIGURES
from benchmarks.shared.options import CORES, REFERENCE, argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.errors import ExportError
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.kernels.layout import ACTIVATIONS

RESULTS = FIGURES / "exactness.json"
EXAMPLES = ("lenet", "alexnet", "resnet8", "dscnn")


@dataclass(frozen=True)
class Verdict:
    """What became of one network.

    Attributes:
        model: Its name or file.
        kept: Part of its pairs of weights that was kept.
        runs: Inferences that were compared, and on the cores.
        bytes_compared: Of the outputs on the host.
        wrong_bytes: By what computed them.
        blockers: Why it was not exported or compared, or nothing.
    """

    model: str
    kept: float
    runs: tuple[int, int] = (0, 0)
    bytes_compared: int = 0
    wrong_bytes: Mapping[str, int] = field(default_factory=dict)
    blockers: str = ""

    @property
    def exact(self) -> bool:
        return not any(self.wrong_bytes.values())


def load(name: str) -> bytes:
    """The int8 model behind a name: a network of the examples, a .tflite file, or a Keras model to be quantized."""
    if name in EXAMPLES:
        from benchmarks.shared.models import quantized  # noqa: PLC0415 - loads TensorFlow

        return quantized(name).tflite
    if name.endswith(".tflite"):
        return Path(name).read_bytes()
    import tf_keras as keras  # noqa: PLC0415 - loads TensorFlow
    from cifar10 import to_float  # noqa: PLC0415

    from benchmarks.shared.models import CALIBRATION_IMAGES  # noqa: PLC0415

    images = to_float(_images("validation")[:CALIBRATION_IMAGES])
    return export.to_tflite(keras.models.load_model(name, compile=False), representative_data=images)


def _images(part: str) -> Any:
    from cifar10 import SUBSET  # noqa: PLC0415 - only some networks see images
    from jpeg_archive import read_archive  # noqa: PLC0415

    return read_archive(SUBSET, (part,))[part][0]


def inputs_of(name: str, graph: Any, count: int) -> list[np.ndarray]:
    """An array for each input: images for the examples, else random bytes of which the first are the extremes."""
    if name in EXAMPLES:
        from cifar10 import to_int8  # noqa: PLC0415

        return [to_int8(_images("test")[:count])]
    rng = np.random.default_rng(0)
    shapes = [graph.tensors[tensor].shape[1:] for tensor in graph.inputs]
    given = [rng.integers(-128, 128, (count, *shape)).astype(np.int8) for shape in shapes]
    for values in given:
        values[:1], values[1:2] = -128, 127
    return given


def check(tflite: bytes, inputs: Sequence[np.ndarray], arm_runs: int, activations: str) -> dict[str, int]:
    """Counts the output bytes that differ from the reference, by what computed them.

    Args:
        tflite: The int8 model.
        inputs: An array for each of its inputs.
        arm_runs: How many inferences the emulated cores run.
        activations: See `export.to_c`.
    """
    reference = _several(run_reference(tflite, inputs))

    def differing(outputs: Any) -> int:
        pairs = zip(_several(outputs), reference, strict=True)
        return sum(int((found != wanted[: len(found)]).sum()) for found, wanted in pairs)

    found = {"interpreter": differing(run(read_tflite(tflite), inputs))}
    with tempfile.TemporaryDirectory() as folder:
        out = export.to_c(tflite, Path(folder) / "out", activations=activations).path
        found["host"] = differing(build_host(out).run(inputs))
        for core in CORES:
            few = [values[:arm_runs] for values in inputs]
            found[core] = differing(export.simulate(out, few, core=core).outputs)
    return found


def _several(outputs: Any) -> tuple[Any, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def judge(name: str, options: argparse.Namespace) -> Verdict:
    """Loads, exports and compares one network."""
    try:
        tflite = load(name)
        if options.kept < 1:
            from benchmarks.shared.models import keep_pairs  # noqa: PLC0415 - loads TensorFlow

            tflite = keep_pairs(tflite, options.kept)
        graph = read_tflite(tflite)
        inputs = inputs_of(name, graph, options.images)
        wrong = check(tflite, inputs, options.arm_images, options.activations)
    except (ExportError, OSError) as error:
        return Verdict(name, options.kept, blockers=str(error))
    compared = options.images * sum(graph.tensors[tensor].size for tensor in graph.outputs)
    return Verdict(name, options.kept, (options.images, options.arm_images), compared, wrong)


def line(verdict: Verdict) -> str:
    """A verdict as a line of the table."""
    name = Path(verdict.model).name[:40]
    if verdict.blockers:
        first = verdict.blockers.splitlines()
        more = f" (and {len(first) - 2} more lines)" if len(first) > 2 else ""
        return f"{name:40}  no        {' '.join(text.strip() for text in first[:2])[:110]}{more}"
    wrong = "  ".join(f"{verdict.wrong_bytes[column]:>10,}" for column in ("interpreter", "host", *CORES))
    return f"{name:40}  yes  {verdict.bytes_compared:>12,}  {wrong}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("models", nargs="*", default=list(REFERENCE), help="names or files")
    parser.add_argument("--images", type=int, default=1000, help="inferences on the host (default 1000)")
    parser.add_argument(
        "--arm-images", type=int, default=20, help="of them on the emulated cores (default 20)"
    )
    parser.add_argument(
        "--kept", type=float, default=1.0, help="part of each convolution's pairs to keep, at random"
    )
    parser.add_argument("--activations", default="auto", choices=ACTIVATIONS)
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    results = _recorded(options)
    columns = "  ".join(f"{name:>10}" for name in ("interpreter", "host", *CORES))
    print(f"{'wrong bytes of':40}  export  {'compared':>9}  {columns}")
    verdicts = []
    for name in options.models:
        verdicts.append(judge(name, options))
        print(line(verdicts[-1]), flush=True)
    exported = [verdict for verdict in verdicts if not verdict.blockers]
    inexact = [verdict for verdict in exported if not verdict.exact]
    print(f"{len(exported)} of {len(verdicts)} exported, {len(inexact)} of them with wrong bytes")
    results |= {Path(verdict.model).name: _entry(verdict) for verdict in verdicts}
    write_json(options.output, {"activations": options.activations, "results": [*results.values()]})
    return int(bool(inexact))


def _entry(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the record has it."""
    return {**asdict(verdict), "model": Path(verdict.model).name}


def _recorded(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """By model, what the record has that may stay."""
    record = recorded(options.output)
    wanted = {
        "activations": options.activations,
        "kept": options.kept,
        "runs": [options.images, options.arm_images],
    }
    found = {}
    for entry in record.get("results", ()):
        settings = {"activations": record["activations"], **entry}
        compared = wanted if entry["wrong_bytes"] else {**wanted, "runs": entry["runs"]}  # or refused
        if stays(f"{entry['model']} in {options.output}", settings, compared, options.replace, figures=True):
            found[entry["model"]] = entry
    return found


if __name__ == "__main__":
    sys.exit(main())
