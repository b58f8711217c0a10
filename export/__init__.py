"""Lowers a quantized network to unpacked C for Cortex-M, and measures what comes out.

export.to_c(model, "out/")                    # verified C for an STM32 project
export.estimate(model)                        # cycles, flash and RAM per layer, nothing written
export.Pricer(model)(masks)                   # the same totals for other masks, in milliseconds
export.simulate("out/", inputs)               # outputs, cycles, flash and RAM on an emulated core
"""

from .api import Export, estimate, to_c, to_tflite
from .cost import Estimate
from .pricing import Pricer
from .simulate import Measurement, simulate

__all__ = ["Estimate", "Export", "Measurement", "Pricer", "estimate", "simulate", "to_c", "to_tflite"]
