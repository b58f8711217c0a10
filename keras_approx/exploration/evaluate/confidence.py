"""Early stopping of evaluations: whether part of the images is enough to drop a design. NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from scipy.stats import hypergeom


def hopeless(
    correct: np.ndarray, seen: int, images: int, required: np.ndarray, confidence: float
) -> np.ndarray:
    """Which designs can be given up, as they will hardly classify the required number of images right.

    Images are looked at in an order drawn at random, so the count of right ones among the first n of N follows the
    hypergeometric distribution, exactly: a design is given up if, were it to classify `required` of the N right,
    it would show as few as it did with a probability of at most 1 - confidence. That is the one-sided test that
    exact confidence limits of a finite population invert (Buonaccorsi, "A note on confidence intervals for
    proportions in finite populations", The American Statistician 41, 1987). Looking several times, the caller
    divides the probability by the number of looks (Bonferroni).

    Args:
        correct: int (designs,), images classified right so far.
        seen: Images looked at.
        images: Images there are.
        required: int (designs,), images to classify right in the end, at most `images`; 0 or less gives nothing up.
        confidence: 0 to 1.

    Returns:
        bool (designs,).
    """
    chance = hypergeom.cdf(correct, images, np.clip(required, 0, images), seen)
    return (required > 0) & (chance <= 1 - confidence)
