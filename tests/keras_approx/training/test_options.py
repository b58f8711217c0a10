"""Options of fine-tuning: numbers are numbers whoever computed them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keras_approx.errors import OptionError
from keras_approx.training.options import Eliminate, Rank


@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
def test_fractions_of_every_kind_of_number(kind: Any) -> None:
    assert Eliminate(kind(0.5)).kept == Rank("energy", kind(0.5)).kept == 0.5
    for options in (Eliminate, lambda kept: Rank("energy", kept)):
        with pytest.raises(OptionError, match="between 0 and 1, got 2"):
            options(kind(2))


def test_a_schedule_is_for_rankings_alone() -> None:
    with pytest.raises(OptionError, match="elimination has its own schedule"):
        Eliminate("fast")
    with pytest.raises(OptionError, match="give kept= as a schedule of thresholds"):
        Rank("energy", np.float32(0.5), select="threshold")
