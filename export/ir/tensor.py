"""Tensors of the int8 graph: shape, type, quantization and, for constants, the values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantization:
    """Affine quantization, real = scale * (q - zero_point).

    Attributes:
        scales: float32 values, one for the tensor or one for each index of `axis`.
        zero_points: As many integers as scales.
        axis: The quantized dimension, or None for one scale.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    @property
    def scale(self) -> float:
        """The only scale of a per-tensor quantization."""
        if len(self.scales) != 1:
            raise ValueError(f"per-tensor quantization expected, got {len(self.scales)} scales")
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The only zero point of a per-tensor quantization."""
        if len(self.zero_points) != 1:
            raise ValueError(f"per-tensor quantization expected, got {len(self.zero_points)} zero points")
        return self.zero_points[0]


@dataclass(frozen=True)
class Tensor:
    """One value of the graph.

    Attributes:
        name: As the model's author wrote it. Untrusted: for messages and reports only.
        shape: With the batch dimension, which is always 1 for activations; NHWC.
        dtype: "int8", "uint8", "int32" or "float32".
        quantization: None for float32 and for plain integer tensors.
        data: The values of a constant, of `shape`; None for activations.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: NDArray[np.generic] | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def quant(self) -> Quantization:
        """The quantization, which must exist."""
        if self.quantization is None:
            raise ValueError(f"tensor {self.name!r} is not quantized")
        return self.quantization
