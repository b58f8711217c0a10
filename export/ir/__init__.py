"""The int8 graph every stage of the exporter reads, and the interpreter that defines what it computes."""

from .graph import Graph
from .tensor import Quantization, Tensor

__all__ = ["Graph", "Quantization", "Tensor"]
