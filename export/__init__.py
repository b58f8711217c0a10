"""Lowers a quantized network to unpacked C for Cortex-M, and measures what comes out.

export.to_c(model, "out/")                    # verified C for an STM32 project
export.estimate(model)                        # cycles, flash and RAM per layer, nothing written
export.Pricer(model)(masks)                   # the same totals for other masks, in milliseconds
export.simulate("out/", inputs)               # outputs, cycles, flash and RAM on an emulated core
export.report(front, "report/")               # an exploration and its exports as a page with pictures
"""

from export.api import Export, estimate, to_c, to_tflite
from export.pricer import Pricer
from export.reporting import Baseline, report
from export.schedule.estimate import Estimate
from export.simulation import Measurement, simulate

__all__ = [
    "Baseline",
    "Estimate",
    "Export",
    "Measurement",
    "Pricer",
    "estimate",
    "report",
    "simulate",
    "to_c",
    "to_tflite",
]
