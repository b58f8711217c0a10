"""Prices designs: cycles, flash and RAM of a wrapped model with other masks, in milliseconds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from export import training_side
from export.api import check_activations, check_max_ram
from export.errors import TargetError
from export.frontend.masked_model import Kernels, MaskedModel, Masks, model_kernels, weights_name
from export.ir.rewrite import constants_of
from export.passes import run_passes
from export.schedule import Requirements, Schedule, price_network
from export.schedule.estimate import Estimate, estimate_schedule, has_prices
from export.schedule.remembered import Remembered
from export.targets import resolve

_SPARSE = (0.5, 0.1)  # shares of operands kept by the first designs


class Pricer:
    """Cycles, flash and RAM as a function of masks.

    The model is converted once, with nothing skipped. For other masks its kernels are quantized again, and the graph
    goes through the passes and the choice of kernels of `export.estimate`; only what is chosen is not planned. Layers
    that were priced before, with the same zeros and the same surroundings, are not priced again.

    Biases, statistics and activation ranges stay those of the moment when the pricer was made. They have a part only
    in which channels are constant, whatever the input.

    Args:
        model: A wrapped, calibrated model. Its masks are set and set back.
        target: As for `export.to_c`.
        activations: As for `export.to_c`.
        max_ram: As for `export.to_c`.

    Raises:
        ExportError: As for `export.estimate`.
    """

    def __init__(
        self,
        model: Any,
        *,
        target: str | os.PathLike[str] = "cortex-m33",
        activations: str = "auto",
        max_ram: int | None = None,
    ) -> None:
        check_activations(activations)
        check_max_ram(max_ram)
        self._target = resolve(target)
        if not has_prices(self._target.core):
            raise TargetError(
                f"the kernels of {self._target.core.name} have no prices, so no design can be priced for "
                f"{target!r}; take a core with the DSP extension, such as target='cortex-m33'"
            )
        self._requirements = Requirements(self._target, activations, max_ram)
        self._model = MaskedModel(model)
        self._candidates = Remembered(plans=False)
        self._warm_up()

    def __call__(self, masks: Masks) -> dict[str, float]:
        """Totals of a design.

        Args:
            masks: bool arrays of the kernels' shapes by layer name, as `keras_approx.get_masks` gives them; a layer
                that is not named keeps all its products.

        Returns:
            {"cycles", "flash", "ram"}: cycles of one inference with memories that never wait, bytes of flash and of
            the arena. Layers in plain C count as `export.estimate` predicts them.

        Raises:
            InputError: A mask is of no layer, or of another shape or type.
        """
        return _totals(self._estimate(self._schedule(masks)))

    def with_weights(self, masks: Masks, kernels: Kernels) -> dict[str, float]:
        """Totals of a design whose weights were fitted for its masks, as `keras_approx.explore` asks for them.

        Args:
            masks: As for a call.
            kernels: float32 weights by layer name; a layer that is not named has those the model had at first.

        Raises:
            InputError: As for a call.
        """
        return _totals(self._estimate(self._schedule(masks, kernels)))

    def layers(self, masks: Masks) -> dict[str, dict[str, float]]:
        """Cycles and flash of each layer.

        Args:
            masks: As for a call.

        Returns:
            {"cycles", "flash"} by layer, in order of execution: by the Keras layer's name where it carries a mask, by
            place and kind, such as "3 add", elsewhere.

        Raises:
            InputError: As for a call.
        """
        return self._layers(self._schedule(masks))

    def cycles(self, model: Any) -> float:
        """Cycles of one inference of a model as it is, its weights included, which may have been trained since.

        For `SkipSummaries(cycles=pricer.cycles)` and `measure_prices(model, pricer.cycles)`.

        Args:
            model: The model the pricer was made for, or one of the same layers.

        Raises:
            InputError: A mask is of no layer, or of another shape.
        """
        return _totals(self._estimate(self._of_model(model)))["cycles"]

    def layer_cycles(self, model: Any) -> dict[str, float]:
        """Like `cycles`, by layer as in `layers`; for `SkipSummaries(cycles=pricer.layer_cycles)`."""
        return {name: cost["cycles"] for name, cost in self._layers(self._of_model(model)).items()}

    def _warm_up(self) -> None:
        """Prices the exact design and two random ones: what all designs have in common is then remembered."""
        self({})
        rng = np.random.default_rng(0)
        for kept in _SPARSE:
            self({name: rng.random(shape) < kept for name, shape in self._model.shapes.items()})

    def _of_model(self, model: Any) -> Schedule:
        return self._schedule(training_side.get_masks(model), model_kernels(model))

    def _schedule(self, masks: Masks, kernels: Kernels | None = None) -> Schedule:
        graph = run_passes(self._model.graph(masks, kernels))
        return price_network(graph, self._requirements, self._candidates)

    def _layers(self, schedule: Schedule) -> dict[str, dict[str, float]]:
        names = {weights_name(name): name for name in self._model.shapes}
        found: dict[str, dict[str, float]] = {}
        for stage, layer in zip(schedule.stages, self._estimate(schedule).layers, strict=True):
            constants = constants_of(stage.op) if stage.op is not None else ()
            held = [schedule.graph.tensors[tensor].name for tensor in constants]
            name = next((names[tensor] for tensor in held if tensor in names), f"{layer.index} {layer.kind}")
            before = found.get(name, {"cycles": 0.0, "flash": 0.0})  # of another call of a shared layer
            found[name] = {
                "cycles": before["cycles"] + float(layer.cycles or 0),
                "flash": before["flash"] + float(layer.flash_bytes or 0),
            }
        return found | {
            name: {"cycles": 0.0, "flash": 0.0} for name in self._model.shapes if name not in found
        }

    def _estimate(self, schedule: Schedule) -> Estimate:
        return estimate_schedule(schedule, self._target)


def _totals(estimate: Estimate) -> dict[str, float]:
    assert estimate.cycles is not None and estimate.flash_bytes is not None
    return {
        "cycles": float(estimate.cycles),
        "flash": float(estimate.flash_bytes),
        "ram": float(estimate.ram_bytes),
    }
