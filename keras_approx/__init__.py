"""Keras models that skip the products that matter least, fine-tuned to recover what skipping costs.

TensorFlow is imported at the first use of a name that needs it: `keras_approx.masks`,
`keras_approx.significance` and `keras_approx.schedules` work without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_approx import callbacks as callbacks
    from keras_approx.batch_norm import recalibrate_batch_norm as recalibrate_batch_norm
    from keras_approx.calibration import calibrate as calibrate
    from keras_approx.conversion import conversion_model as conversion_model
    from keras_approx.distillation import distill as distill
    from keras_approx.exploration.design import Design as Design
    from keras_approx.exploration.exploring import explore as explore
    from keras_approx.exploration.front import ParetoFront as ParetoFront
    from keras_approx.fine_tuning import fine_tune as fine_tune
    from keras_approx.granularity import Granularity as Granularity
    from keras_approx.post_training import eliminate as eliminate
    from keras_approx.prices import measure_prices as measure_prices
    from keras_approx.selection import LayerSetting as LayerSetting
    from keras_approx.skip_wrapper import SkipWrapper as SkipWrapper
    from keras_approx.skip_wrapper import get_masks as get_masks
    from keras_approx.skip_wrapper import set_masks as set_masks
    from keras_approx.summaries import summary as summary
    from keras_approx.wrapping import approx_scope as approx_scope
    from keras_approx.wrapping import strip as strip
    from keras_approx.wrapping import wrap as wrap

_HOMES = {
    "Design": "exploration.design",
    "Granularity": "granularity",
    "LayerSetting": "selection",
    "ParetoFront": "exploration.front",
    "SkipWrapper": "skip_wrapper",
    "approx_scope": "wrapping",
    "calibrate": "calibration",
    "conversion_model": "conversion",
    "distill": "distillation",
    "eliminate": "post_training",
    "explore": "exploration.exploring",
    "fine_tune": "fine_tuning",
    "get_masks": "skip_wrapper",
    "measure_prices": "prices",
    "recalibrate_batch_norm": "batch_norm",
    "set_masks": "skip_wrapper",
    "strip": "wrapping",
    "summary": "summaries",
    "wrap": "wrapping",
}
_MODULES = ("callbacks", "errors", "masks", "schedules", "significance")

__all__ = [
    "Design",
    "Granularity",
    "LayerSetting",
    "ParetoFront",
    "SkipWrapper",
    "approx_scope",
    "calibrate",
    "callbacks",
    "conversion_model",
    "distill",
    "eliminate",
    "errors",
    "explore",
    "fine_tune",
    "get_masks",
    "masks",
    "measure_prices",
    "recalibrate_batch_norm",
    "schedules",
    "set_masks",
    "significance",
    "strip",
    "summary",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
