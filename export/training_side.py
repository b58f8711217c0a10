"""What the exporter knows of `keras_approx`: wrapped models, errors about them, fronts, and how products are chosen.

Nothing else in `export` imports it, but the command line, which runs both packages, the records and locks of files that
both write, and the words and tables that both tell people. What needs TensorFlow is imported when its name is first
used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_approx.errors import (
    CalibrationError,
    KerasApproxError,
    MissingPackageError,
    NotCalibratedError,
    NotWrappedError,
    OptionError,
    UnsupportedLayerError,
    UnsupportedModelError,
)
from keras_approx.skipping.granularity import Granularities, Granularity, first_matches, group_sums, spread
from keras_approx.skipping.selection import LayerSetting, Selection
from keras_approx.skipping.significance import ELIMINATION

if TYPE_CHECKING:
    from keras_approx.compat import tf
    from keras_approx.conversion import conversion_model, float_conversion_model, masked_kernels
    from keras_approx.exploration.front.file import load_front
    from keras_approx.exploration.front.pareto_front import ParetoFront
    from keras_approx.exploration.records import EvaluatedDesign
    from keras_approx.layers.quantizers import quantize_kernel
    from keras_approx.layers.skip_wrapper import get_masks, set_masks, skip_wrappers
    from keras_approx.measure.batches import model_batches
    from keras_approx.skipping.elimination import (
        InputMoments,
        elimination_significance,
        fit,
        warn_of_few_samples,
    )

__all__ = [
    "ELIMINATION",
    "CalibrationError",
    "EvaluatedDesign",
    "Granularities",
    "Granularity",
    "InputMoments",
    "KerasApproxError",
    "LayerSetting",
    "MissingPackageError",
    "NotCalibratedError",
    "NotWrappedError",
    "OptionError",
    "ParetoFront",
    "Selection",
    "UnsupportedLayerError",
    "UnsupportedModelError",
    "conversion_model",
    "elimination_significance",
    "first_matches",
    "fit",
    "float_conversion_model",
    "get_masks",
    "group_sums",
    "load_front",
    "masked_kernels",
    "model_batches",
    "quantize_kernel",
    "set_masks",
    "skip_wrappers",
    "spread",
    "tf",
    "warn_of_few_samples",
]

_HOMES = {
    "EvaluatedDesign": "exploration.records",
    "InputMoments": "skipping.elimination",
    "ParetoFront": "exploration.front.pareto_front",
    "conversion_model": "conversion",
    "elimination_significance": "skipping.elimination",
    "fit": "skipping.elimination",
    "float_conversion_model": "conversion",
    "get_masks": "layers.skip_wrapper",
    "load_front": "exploration.front.file",
    "masked_kernels": "conversion",
    "model_batches": "measure.batches",
    "quantize_kernel": "layers.quantizers",
    "set_masks": "layers.skip_wrapper",
    "skip_wrappers": "layers.skip_wrapper",
    "tf": "compat",
    "warn_of_few_samples": "skipping.elimination",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"keras_approx.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (
            error.name is None
            or error.name.startswith("keras_approx")
            or isinstance(error, MissingPackageError)
        ):
            raise
        extra, what = (
            ("eliminate", "eliminating products")
            if _HOMES[name].startswith("skipping.")
            else ("train", "a Keras model")
        )
        raise MissingPackageError(
            f"{what} needs {error.name}, which is not installed: pip install 'keras_approx[{extra}]'",
            name=error.name,
        ) from error
