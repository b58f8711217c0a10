"""Running an exported network on an emulated Arm core: bit-exact outputs, cycles, flash, RAM and stack."""

from export.simulation.measurement import LayerMeasurement, Measurement
from export.simulation.run import simulate

__all__ = ["LayerMeasurement", "Measurement", "simulate"]
