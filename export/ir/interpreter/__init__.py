"""Runs a graph in NumPy, bit for bit as TFLite's reference kernels do.

One small module an operator family; each kernel takes the graph, the operator and its int8 activations with a
leading batch dimension, and returns the int8 output. All arithmetic is on integers (convolutions use double
precision matrix products, whose sums stay below 2^53 and are therefore exact).
"""

from export.ir.interpreter.run import run, trace

__all__ = ["run", "trace"]
