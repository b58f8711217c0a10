"""The description of an exploration as JSON: a store resumes only an equal one, and a front keeps it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design, granularity_json
from keras_approx.exploration.evaluate.design_prices import Pricing
from keras_approx.exploration.evaluate.images import ValidationSet
from keras_approx.exploration.search.protocol import Search
from keras_approx.exploration.search.space import Space
from keras_approx.exploration.strict_json import json_of
from keras_approx.exploration.subject import Subject
from keras_approx.skipping.granularity import Granularity
from keras_approx.skipping.significance import Metric

_PACKAGES = ("keras_approx", "numpy", "scipy", "tensorflow", "tf_keras")


def describe(
    subject: Subject,
    data: ValidationSet,
    space: Space,
    pricing: Pricing,
    search: Search,
    *,
    confidence: float | None,
    seed: int,
) -> dict[str, Any]:
    """All that evaluations depend on, so that those of another model, other data or other options are not mixed in.

    Raises:
        OptionError: If the price of the exact design is not finite.
    """
    layers = subject.layers
    return {
        "model": subject.packed.digest,
        "calibration": subject.calibration.digest,
        "validation": data.digest,
        "metric": data.scorer.name,
        "higher is better": data.scorer.higher_is_better,
        "exact score": f"{subject.exact_score:.6g}",
        "search": _search_name(search),
        "options": search_options(search),
        "select": space.select,
        "values": {name: list(found) for name, found in space.values.items()},
        "granularity": {
            name: [granularity_json(one) for one in found] for name, found in space.choices.items()
        }
        or [granularity_json(one) for one in space.granularities],
        "significance": _metric_name(subject.significance),
        "significance values": _digest(layers.significance, layers.by_granularity if space.choices else {}),
        "objectives": list(pricing.objectives),
        "exact costs": pricing.costs(Design(space.select)),
        "recalibrate": bool(subject.recalibration),
        "confidence": confidence,
        "seed": seed,
    }


def further_settings(subject: Subject, data: ValidationSet, space: Space, shared: int) -> dict[str, Any]:
    """What else a front says of how it was made: evaluations do not depend on it.

    Args:
        subject: The model.
        data: What it was scored on.
        space: The designs that were explored.
        shared: Validation images that are calibration images too.
    """
    return {
        "exempt": [name for name in subject.layers.significance if name not in space.values],
        "model_name": subject.name,
        "images": {
            "calibration": len(subject.calibration.digests),
            "validation": len(data),
            "shared": shared,
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def search_options(search: Any) -> dict[str, Any]:
    """What a search was made with.

    Raises:
        OptionError: If it is no search, or JSON cannot hold its attributes.
    """
    if isinstance(search, type) or not callable(getattr(search, "proposals", None)):
        raise OptionError(
            "search must be Budget(...), Grid(), Evolve(...) or an object with their method `proposals`, got "
            f"{search!r}"
        )
    attributes = getattr(search, "__dict__", {})
    found = {name: value for name, value in attributes.items() if not name.startswith("_")}
    try:
        json_of(found)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"a search's attributes are kept to resume by, so JSON must hold them, but of {type(search).__name__}: "
            f"{error}"
        ) from error
    return found


def _search_name(search: Search) -> str:
    """What is recorded of a search beside its attributes."""
    kind = type(search)
    ours = kind.__module__.startswith("keras_approx.")
    return kind.__name__.lower() if ours else kind.__qualname__


def _metric_name(metric: str | Metric) -> str:
    """For people: what a function computes is recorded apart."""
    return metric if isinstance(metric, str) else getattr(metric, "__qualname__", type(metric).__qualname__)


def _digest(
    significance: Mapping[str, np.ndarray], by_granularity: Mapping[tuple[str, str | Granularity], np.ndarray]
) -> str:
    found = hashlib.sha256()
    named = {f"{name} by {one}": values for (name, one), values in by_granularity.items()}
    for name, values in {**significance, **named}.items():
        found.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return found.hexdigest()
