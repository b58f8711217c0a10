"""Running an exported network on an emulated Arm core: bit-exact outputs, cycles, flash, RAM and stack."""

from export.simulate.measurement import LayerMeasurement, Measurement
from export.simulate.run import simulate

__all__ = ["LayerMeasurement", "Measurement", "simulate"]
