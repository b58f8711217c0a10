"""Lowers a quantized network to unpacked C for Cortex-M, and measures what comes out.

export.to_c(model, "out/")                    # verified C for an STM32 project
export.estimate(model)                        # cycles, flash and RAM per layer, nothing written
export.eliminate("model.tflite", inputs)      # skips products of an int8 network, without Keras
export.Pricer(model)(masks)                   # the same totals for other masks, in milliseconds
export.simulate("out/", inputs)               # outputs, cycles, flash and RAM on an emulated core
export.evaluate("out/", inputs, labels)       # accuracy over a whole data set, on this machine
export.report(front, "report/")               # an exploration and its exports as a page with pictures

A name's module is imported at its first use, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.api import Export as Export
    from export.api import estimate as estimate
    from export.api import to_c as to_c
    from export.api import to_tflite as to_tflite
    from export.elimination.network import eliminate as eliminate
    from export.evaluation import Evaluation as Evaluation
    from export.evaluation import evaluate as evaluate
    from export.pricer import Pricer as Pricer
    from export.reporting.sources import Baseline as Baseline
    from export.reporting.writing import report as report
    from export.schedule.estimate import Estimate as Estimate
    from export.simulation.measurement import Measurement as Measurement
    from export.simulation.run import simulate as simulate

_HOMES = {
    "Baseline": "reporting.sources",
    "Estimate": "schedule.estimate",
    "Evaluation": "evaluation",
    "Export": "api",
    "Measurement": "simulation.measurement",
    "Pricer": "pricer",
    "eliminate": "elimination.network",
    "estimate": "api",
    "evaluate": "evaluation",
    "report": "reporting.writing",
    "simulate": "simulation.run",
    "to_c": "api",
    "to_tflite": "api",
}

__all__ = [
    "Baseline",
    "Estimate",
    "Evaluation",
    "Export",
    "Measurement",
    "Pricer",
    "eliminate",
    "estimate",
    "evaluate",
    "report",
    "simulate",
    "to_c",
    "to_tflite",
]


if not TYPE_CHECKING:  # for mypy the names above are all there are

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
