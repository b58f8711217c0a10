"""The accuracy of an export over a whole data set: its C, compiled for this machine and run on all cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.answers import class_count, classified, decision
from export.artifact.compiling import HostModel, build_host
from export.artifact.manifest import Manifest, TensorInfo, read_manifest
from export.errors import InputError
from export.proportions import wilson_interval
from keras_approx.text import plural

_BATCH = 256  # inferences of one process: short enough that all cores end together


@dataclass(frozen=True)
class Answers:
    """How many answers of a network are right.

    Attributes:
        right: Of `count`.
        count: Samples, at least 1.
    """

    right: int
    count: int

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares the accuracy lies with 95 % confidence, by Wilson's score interval."""
        return wilson_interval(self.right, self.count)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.right:,} of {self.count:,} right: {self.accuracy:.2%}, with 95 % confidence "
            f"{low:.2%} to {high:.2%}"
        )

    def to_dict(self) -> dict[str, Any]:
        """What `json` can write."""
        return {
            "right": self.right,
            "count": self.count,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
        }


@dataclass(frozen=True)
class Evaluation(Answers):
    """What an export answered on a data set.

    Attributes:
        right: Of `count`.
        count: Samples, at least 1.
        outputs: int8 [n, *output shape], every byte as on the microcontroller.
    """

    outputs: NDArray[np.int8]

    def __repr__(self) -> str:
        return f"Evaluation({self})"


def evaluate(
    out_dir: str | os.PathLike[str],
    inputs: Any,
    labels: Any,
    *,
    workers: int | None = None,
    cc: str | None = None,
) -> Evaluation:
    """Compiles an export for this machine, runs it on every input, and counts the right answers.

    The outputs are those of the microcontroller, byte for byte; thousands of inputs take seconds, where `simulate`
    takes minutes. The code runs with all that this process may do: evaluate exports that you trust.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.
        inputs: Real numbers [n, *input shape], as the float model takes them, or int8; a sequence of such arrays for
            several inputs. Networks with states see them one after the other.
        labels: Class numbers [n], which `count_right` compares with the outputs.
        workers: How many processes run at once; one for each processor if None.
        cc: The compiler; the system's `cc` if None.

    Raises:
        InputError: Inputs of another shape or type, or none; labels that do not go with inputs and outputs.
        ModelFormatError: The folder is no export.
        SimulationError: The program failed.
        ToolError: The compiler is missing or refuses the code.
    """
    manifest = read_manifest(out_dir)
    batch = manifest.pack(inputs)
    wanted = check_labels(manifest, labels, len(batch))
    if workers is not None and not (isinstance(workers, int) and workers >= 1):
        raise InputError(f"expected a whole number of workers, at least 1, or None, got {workers!r}")
    outputs = _run(build_host(out_dir, cc=cc), batch, workers or os.cpu_count() or 1)
    return Evaluation(**vars(count_right(outputs, wanted, manifest.outputs[0])), outputs=outputs)


def check_labels(manifest: Manifest, labels: Any, count: int) -> NDArray[Any]:
    """Class numbers [count] that a network can answer with.

    Raises:
        InputError: They are not, or there are none.
    """
    if len(manifest.outputs) > 1:
        names = ", ".join(info.name for info in manifest.outputs)
        raise InputError(
            f"labels go with a network of one output, this one has {names}; leave the labels out"
        )
    try:
        wanted = np.asarray(labels)
    except ValueError as error:  # of rows that are not of one length
        raise InputError(
            f"expected a class number for each of {plural(count, 'input')}, got {error}"
        ) from error
    if wanted.shape == (count, 1):
        wanted = wanted.reshape(count)
    if wanted.shape != (count,) or count == 0 or not np.issubdtype(wanted.dtype, np.integer):
        raise InputError(
            f"expected a class number for each of {plural(count, 'input')}, at least one, got {wanted.dtype} of shape "
            f"{list(wanted.shape)}"
        )
    output = manifest.outputs[0]
    if output.dtype == "int32" and output.size > 1:
        raise InputError(
            f"labels go with class scores or one class number, this network gives {output.size} numbers; leave the "
            "labels out"
        )
    highest = np.iinfo(np.int32).max if output.dtype == "int32" else class_count(output.size) - 1
    if wanted.min() < 0 or wanted.max() > highest:
        raise InputError(
            f"expected labels of 0 .. {highest}, as the network has {plural(output.size, 'output')}, got "
            f"{wanted.min()} .. {wanted.max()}"
        )
    return wanted


def count_right(outputs: Any, labels: NDArray[Any], output: TensorInfo) -> Answers:
    """How often a network gives the class of the label [n].

    Args:
        outputs: [n, ...]. The answer is the class of the largest of several, or what an output of class numbers holds;
            of a single value see `answers.classified`.
        labels: Class numbers [n].
        output: What the manifest says of the output.
    """
    flat = outputs.reshape(len(labels), -1)
    threshold = decision(output.scale, output.zero_point)
    answers = flat[:, 0] if output.dtype == "int32" else classified(flat, threshold)
    return Answers(int((answers == labels).sum()), len(labels))


def _run(model: HostModel, batch: NDArray[np.uint8], workers: int) -> Any:
    """Runs the inputs in parts, several at once; at once and in order where a network has states."""
    if model.manifest.state_bytes or workers == 1:
        return model.run_packed(batch)
    parts = np.array_split(batch, ceil(len(batch) / _BATCH))
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(model.run_packed, parts)))
