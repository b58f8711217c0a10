"""An example: the network on one sample, whose every output byte is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.analysis.interpreter import run
from export.codegen.header import end_macro, end_names, single
from export.csource.text import indent, table
from export.errors import InputError
from export.ir.graph import Graph
from export.ir.real import quantize
from export.ir.tensor import Tensor
from keras_approx.text import plural

_PROGRAM = """\
/* Runs the network on one sample, and compares every byte of the output with what TFLite's reference kernels give.
 * On a board, printf needs a standard output. */
#include <stdio.h>
#include <string.h>
#include "{name}.h"

{arrays}
int main(void)
{{
    {call};
{answer}    if ({comparison}) {{
        puts("WRONG BYTES");
        return 1;
    }}
    puts("every byte as expected");
    return 0;
}}
"""
_BEST = """\
int best = 0;
for (int i = 1; i < {NAME}_OUTPUT_SIZE; i++)
    if (output[i] > output[best])
        best = i;
"""
_PRINTED = (
    'printf("class %d{named}, %.3f\\n", best{argument}, (double){name}_dequantize_output(output[best]));\n'
)
_SKETCH = """\
// Runs the network on one sample repeatedly, and compares every byte with what TFLite's reference kernels give.
#include <string.h>
#include <{name}.h>

{arrays}
void setup()
{{
    Serial.begin(115200);
}}

void loop()
{{
{reset}    unsigned long start = micros();
    {call};
    unsigned long taken = micros() - start;
{answer}    Serial.print(taken);
    Serial.print(" us, ");
    Serial.println({comparison} ? "WRONG BYTES" : "every byte as expected");
    delay(1000);
}}
"""
_SHOWN = """\
Serial.print("class ");
Serial.print({best});
Serial.print(", ");
"""


@dataclass(frozen=True)
class Sample:
    """Inputs of one inference, and the outputs it gives.

    Attributes:
        graph: The network.
        inputs: int8 [*shape] of each input.
        outputs: int8 or int32 [*shape] of each output.
        class_names: What each output stands for, if known.
    """

    graph: Graph
    inputs: tuple[NDArray[np.int8], ...]
    outputs: tuple[NDArray[Any], ...]
    class_names: tuple[str, ...] = ()

    @property
    def classifies(self) -> bool:
        """Whether the output is one score a class."""
        return single(self.graph) and self.outputs[0].dtype == np.int8 and self.outputs[0].ndim == 1


def make_sample(graph: Graph, given: Any = None, class_names: Sequence[str] = ()) -> Sample:
    """Runs the network on a sample.

    Args:
        graph: The network.
        given: One input, real numbers or int8, of the network's input shape with or without a batch of one; a sequence
            of such arrays where there are several inputs; random values if None.
        class_names: What each output stands for, if known.

    Raises:
        InputError: `given` has another shape or type, or is not finite.
    """
    tensors = [graph.tensors[tensor] for tensor in graph.inputs]
    if given is None:
        generator = np.random.default_rng(0)
        inputs = [generator.integers(-128, 128, tensor.shape[1:], np.int8) for tensor in tensors]
    else:
        several = list(given) if isinstance(given, list | tuple) and len(tensors) > 1 else [given]
        if len(several) != len(tensors):
            raise InputError(f"expected a sample of {plural(len(tensors), 'input')}, got {len(several)}")
        inputs = [_checked(one, tensor) for one, tensor in zip(several, tensors, strict=True)]
    outputs = run(graph, [values[np.newaxis] for values in inputs])
    found = outputs if isinstance(outputs, tuple) else (outputs,)
    return Sample(graph, tuple(inputs), tuple(values[0] for values in found), tuple(class_names))


def _checked(given: Any, tensor: Tensor) -> NDArray[np.int8]:
    shape = tensor.shape[1:]
    try:
        values = np.asarray(given)
    except ValueError as error:  # of rows that are not of one length
        raise InputError(f"expected a sample of shape {list(shape)}: {error}") from error
    if values.shape == (1, *shape):
        values = values[0]
    real = values.dtype.kind == "f" and bool(np.isfinite(values).all())
    if values.shape != shape or not (real or values.dtype == np.int8):
        raise InputError(
            f"expected a sample of shape {list(shape)}, finite real numbers or int8, got {values.dtype} "
            f"{list(values.shape)}"
        )
    return quantize(values, tensor.quant.scale, tensor.quant.zero_point) if real else values


def arrays(name: str, sample: Sample) -> str:
    """Definitions of the sample, of the bytes that are expected, and of the memory for those that come."""
    text = ""
    for kind, role, values in (("input", "sample", sample.inputs), ("output", "expected", sample.outputs)):
        for field, array in zip(end_names(sample.graph, kind), values, strict=True):
            text += table(f"{array.dtype}_t", _called(sample, role, field), array.ravel().tolist())
    for field, array in zip(end_names(sample.graph, "output"), sample.outputs, strict=True):
        size = f"{end_macro(sample.graph, field, 'output', name)}_SIZE"
        text += f"static {array.dtype}_t {_called(sample, 'output', field)}[{size}];\n"
    if not single(sample.graph):
        for kind, role in (("input", "sample"), ("output", "output")):
            listed = ", ".join(_called(sample, role, field) for field in end_names(sample.graph, kind))
            text += f"static const {name}_{kind}s {kind}s = {{{listed}}};\n"
    return text


def _called(sample: Sample, role: str, field: str) -> str:
    return role if single(sample.graph) else f"{role}_{field}"


def _call(name: str, sample: Sample) -> str:
    return f"{name}_run(sample, output)" if single(sample.graph) else f"{name}_run(&inputs, &outputs)"


def _differs(sample: Sample) -> str:
    """A condition: whether a byte is wrong."""
    fields = end_names(sample.graph, "output")
    pairs = [(_called(sample, "output", field), _called(sample, "expected", field)) for field in fields]
    return " || ".join(f"memcmp({came}, {wanted}, sizeof {wanted}) != 0" for came, wanted in pairs)


def program(name: str, sample: Sample) -> str:
    """example.c: a complete program."""
    answer = ""
    if sample.classifies:
        named, argument = (" (%s)", f", {name}_class_names[best]") if sample.class_names else ("", "")
        answer = _BEST.format(NAME=name.upper()) + _PRINTED.format(name=name, named=named, argument=argument)
    return _PROGRAM.format(
        name=name,
        arrays=arrays(name, sample),
        call=_call(name, sample),
        answer=indent(answer),
        comparison=_differs(sample),
    )


def sketch(name: str, sample: Sample) -> str:
    """The same as an Arduino sketch."""
    answer = ""
    if sample.classifies:
        best = f"{name}_class_names[best]" if sample.class_names else "best"
        answer = _BEST.format(NAME=name.upper()) + _SHOWN.format(best=best)
    return _SKETCH.format(
        name=name,
        arrays=arrays(name, sample),
        reset=f"    {name}_reset();\n" if sample.graph.states else "",
        call=_call(name, sample),
        answer=indent(answer),
        comparison=_differs(sample),
    )
