"""A network and images on which something can be eliminated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.export.models.model_builder import ModelBuilder

SHAPE = (10, 10, 5)


def network(seed: int = 0, *, bias: bool = True) -> bytes:
    """Two convolutions with ReLU, a max pool and a dense layer; scales that use int8 well."""
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    x = image = builder.tensor((1, *SHAPE), 1 / 128, 0)
    for channels in (12, 9):
        weights = rng.integers(-127, 128, (channels, 3, 3, x.shape[3])).astype(np.int8)
        scales = rng.uniform(0.001, 0.004, channels).tolist()
        added = rng.integers(-2000, 2000, channels).astype(np.int32) if bias else None
        x = builder.conv(
            x,
            weights,
            added,
            weight_scales=scales,
            scale=0.02,
            zero_point=-128,
            activation="relu",
            padding="VALID",
        )
    x = builder.pool("max", x, (2, 2), (2, 2))
    weights = rng.integers(-127, 128, (4, int(np.prod(x.shape)))).astype(np.int8)
    x = builder.dense(
        x, weights, np.arange(4, dtype=np.int32), weight_scales=[0.002], scale=0.4, zero_point=3
    )
    return builder.finish(image, x)


def images(count: int, seed: int = 1) -> NDArray[np.int8]:
    """Smooth images, whose neighboring pixels and channels resemble each other."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 60, (count, 4, 4, 2)) @ rng.normal(0, 1, (2, SHAPE[2]))
    values = coarse.repeat(3, axis=1).repeat(3, axis=2)[:, :10, :10] + rng.normal(0, 8, (count, *SHAPE))
    return np.clip(np.rint(values), -128, 127).astype(np.int8)
