"""Lowers a quantized network to unpacked C for Cortex-M, and measures what comes out.

    export.to_c(model, "out/")                    # verified C for an STM32 project
    export.simulate("out/", inputs)               # outputs, cycles, flash and RAM on an emulated core
"""

from .api import Export, to_c, to_tflite
from .simulate import Measurement, simulate

__all__ = ["Export", "Measurement", "simulate", "to_c", "to_tflite"]
