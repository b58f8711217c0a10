"""The errors of the exporter: each says what was expected, what came, and what to do."""

from __future__ import annotations


class ExportError(Exception):
    """Base of every error this package raises on purpose."""


class ModelFormatError(ExportError, ValueError):
    """The bytes or the file are no TFLite model, or a damaged one."""


class UnsupportedModelError(ExportError, ValueError):
    """The model holds a layer, an operator, a type or a shape that cannot be lowered."""


class QuantizationError(ExportError, ValueError):
    """The model is not quantized the way int8 kernels need, or data to quantize it with is missing or unusable."""


class TargetError(ExportError, ValueError):
    """The target is unknown, or the network does not fit it."""


class OutputPathError(ExportError, OSError):
    """The output folder cannot be written, or holds something that is not ours to replace."""


class ToolError(ExportError, RuntimeError):
    """A compiler or emulator is missing or failed."""


class SimulationError(ExportError, RuntimeError):
    """The emulated program faulted, ran too long, or returned an error."""


class InputError(ExportError, ValueError):
    """Inputs for a run have the wrong shape, type or values."""
