"""Keras models that skip the products that matter least, fine-tuned to recover what skipping costs.

TensorFlow is imported at the first use of a name that needs it: `keras_approx.masks`,
`keras_approx.significance` and `keras_approx.schedules` work without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_approx import errors as errors
    from keras_approx.conversion import conversion_model as conversion_model
    from keras_approx.exploration.design import Design as Design
    from keras_approx.exploration.explore import explore as explore
    from keras_approx.exploration.front.applying import apply_design as apply_design
    from keras_approx.exploration.front.file import load_front as load_front
    from keras_approx.exploration.front.file import save_front as save_front
    from keras_approx.exploration.front.pareto_front import ParetoFront as ParetoFront
    from keras_approx.exploration.front.plotting import plot_front as plot_front
    from keras_approx.exploration.front.plotting import plot_sensitivity as plot_sensitivity
    from keras_approx.exploration.front.tables import write_front_csv as write_front_csv
    from keras_approx.exploration.front.tuning import fine_tune_designs as fine_tune_designs
    from keras_approx.exploration.quality import Quality as Quality
    from keras_approx.exploration.records import EvaluatedDesign as EvaluatedDesign
    from keras_approx.exploration.search.alone import Alone as Alone
    from keras_approx.exploration.search.budget import Budget as Budget
    from keras_approx.exploration.search.evolution import Evolve as Evolve
    from keras_approx.exploration.search.grid import Grid as Grid
    from keras_approx.exploration.search.protocol import Proposal as Proposal
    from keras_approx.exploration.search.protocol import Search as Search
    from keras_approx.layers.skip_wrapper import SkipWrapper as SkipWrapper
    from keras_approx.layers.skip_wrapper import get_masks as get_masks
    from keras_approx.layers.skip_wrapper import set_masks as set_masks
    from keras_approx.measure.batch_norm import recalibrate_batch_norm as recalibrate_batch_norm
    from keras_approx.measure.calibration import calibrate as calibrate
    from keras_approx.measure.summaries import summary as summary
    from keras_approx.saving import approx_scope as approx_scope
    from keras_approx.skipping import masks as masks
    from keras_approx.skipping import schedules as schedules
    from keras_approx.skipping import significance as significance
    from keras_approx.skipping.granularity import Granularity as Granularity
    from keras_approx.skipping.selection import LayerSetting as LayerSetting
    from keras_approx.training import callbacks as callbacks
    from keras_approx.training.batches import Augmentation as Augmentation
    from keras_approx.training.batches import ShuffledBatches as ShuffledBatches
    from keras_approx.training.checkpoints import Checkpoints as Checkpoints
    from keras_approx.training.distillation import distill as distill
    from keras_approx.training.eliminate import eliminate as eliminate
    from keras_approx.training.fine_tuning import fine_tune as fine_tune
    from keras_approx.training.options import Distillation as Distillation
    from keras_approx.training.options import Eliminate as Eliminate
    from keras_approx.training.options import Rank as Rank
    from keras_approx.training.prices import CyclePrices as CyclePrices
    from keras_approx.training.prices import measure_prices as measure_prices
    from keras_approx.wrapping import strip as strip
    from keras_approx.wrapping import wrap as wrap

__version__ = "0.1.0"

_HOMES = {
    "Alone": "exploration.search.alone",
    "Augmentation": "training.batches",
    "Budget": "exploration.search.budget",
    "Checkpoints": "training.checkpoints",
    "CyclePrices": "training.prices",
    "Design": "exploration.design",
    "Distillation": "training.options",
    "Eliminate": "training.options",
    "EvaluatedDesign": "exploration.records",
    "Evolve": "exploration.search.evolution",
    "Grid": "exploration.search.grid",
    "Granularity": "skipping.granularity",
    "LayerSetting": "skipping.selection",
    "ParetoFront": "exploration.front.pareto_front",
    "Proposal": "exploration.search.protocol",
    "Quality": "exploration.quality",
    "Rank": "training.options",
    "Search": "exploration.search.protocol",
    "ShuffledBatches": "training.batches",
    "SkipWrapper": "layers.skip_wrapper",
    "apply_design": "exploration.front.applying",
    "approx_scope": "saving",
    "calibrate": "measure.calibration",
    "conversion_model": "conversion",
    "distill": "training.distillation",
    "eliminate": "training.eliminate",
    "explore": "exploration.explore",
    "fine_tune": "training.fine_tuning",
    "fine_tune_designs": "exploration.front.tuning",
    "get_masks": "layers.skip_wrapper",
    "load_front": "exploration.front.file",
    "measure_prices": "training.prices",
    "plot_front": "exploration.front.plotting",
    "plot_sensitivity": "exploration.front.plotting",
    "recalibrate_batch_norm": "measure.batch_norm",
    "save_front": "exploration.front.file",
    "set_masks": "layers.skip_wrapper",
    "strip": "wrapping",
    "summary": "measure.summaries",
    "wrap": "wrapping",
    "write_front_csv": "exploration.front.tables",
}
_MODULES = {
    "callbacks": "training.callbacks",
    "errors": "errors",
    "masks": "skipping.masks",
    "schedules": "skipping.schedules",
    "significance": "skipping.significance",
}

__all__ = [
    "Alone",
    "Augmentation",
    "Budget",
    "Checkpoints",
    "CyclePrices",
    "Design",
    "Distillation",
    "Eliminate",
    "EvaluatedDesign",
    "Evolve",
    "Granularity",
    "Grid",
    "LayerSetting",
    "ParetoFront",
    "Proposal",
    "Quality",
    "Rank",
    "Search",
    "ShuffledBatches",
    "SkipWrapper",
    "apply_design",
    "approx_scope",
    "calibrate",
    "callbacks",
    "conversion_model",
    "distill",
    "eliminate",
    "errors",
    "explore",
    "fine_tune",
    "fine_tune_designs",
    "get_masks",
    "load_front",
    "masks",
    "measure_prices",
    "plot_front",
    "plot_sensitivity",
    "recalibrate_batch_norm",
    "save_front",
    "schedules",
    "set_masks",
    "significance",
    "strip",
    "summary",
    "wrap",
    "write_front_csv",
]


if not TYPE_CHECKING:  # for mypy the names above are all there are

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return _import(name, _MODULES[name])
        if name in _HOMES:
            value = getattr(_import(name, _HOMES[name]), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _import(name: str, module: str) -> Any:
    """The module that a public name is from; without the packages of the extra `train` an error that names it."""
    try:
        return import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        from keras_approx.errors import MissingPackageError  # noqa: PLC0415

        if error.name is None or error.name.split(".")[0] == __name__:
            raise
        raise MissingPackageError(
            f"keras_approx.{name} needs {error.name}, which is not installed: pip install 'keras_approx[train]'",
            name=error.name,
        ) from error
