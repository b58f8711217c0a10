"""Designs by hand: which layer of which network keeps how much of what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HandMade:
    """A design by hand, from what `benchmarks.elimination.sensitivity` found of single layers on validation images.

    Attributes:
        layers: By name, what is kept or skipped together, and the share of it that is kept; others keep everything.
        epochs: Of its fine-tuning; None for as many as the exact model has.
    """

    layers: Mapping[str, tuple[str, float]]
    epochs: int | None = None


DESIGNS: Mapping[str, Mapping[str, HandMade]] = {
    "lenet": {
        "1.55 M": HandMade({"conv1": ("pair", 0.45), "conv2": ("kernel", 0.75)}),
        "1.15 M, 7 epochs": HandMade(
            {"conv1": ("pair", 0.28), "conv2": ("kernel block", 0.48), "dense1": ("pair", 0.5)}, epochs=7
        ),
        "0.7 M": HandMade(
            {
                "conv1": ("pair", 0.13),
                "conv2": ("pair", 0.08),
                "conv3": ("pair", 0.12),
                "dense1": ("pair", 0.4),
            }
        ),
    },
    "alexnet": {
        "3.7 M": HandMade(
            {
                "conv1": ("pair", 0.3),
                "conv2": ("kernel block", 0.65),
                "conv3": ("kernel", 0.62),
                "conv4": ("kernel", 0.72),
            }
        ),
        "3.3 M": HandMade(
            {
                "conv1": ("pair", 0.28),
                "conv2": ("pair", 0.18),
                "conv3": ("kernel", 0.55),
                "conv4": ("kernel", 0.7),
            }
        ),
        "3.4 M": HandMade(
            {
                "conv1": ("pair", 0.3),
                "conv2": ("pair", 0.2),
                "conv3": ("kernel", 0.6),
                "conv4": ("kernel", 0.8),
            }
        ),
        "1.7 M": HandMade(
            {
                "conv1": ("pair", 0.168),
                "conv2": ("pair", 0.112),
                "conv3": ("pair", 0.056),
                "conv4": ("pair", 0.056),
            }
        ),
    },
    "resnet8": {
        "4.4 M, 5 epochs": HandMade(
            {
                "conv1": ("pair", 0.35),
                "stack1_conv1": ("pair", 0.2),
                "stack1_conv2": ("pair", 0.2),
                "stack2_conv1": ("pair", 0.3),
                "stack3_conv1": ("pair", 0.45),
            },
            epochs=5,
        ),
        "4.4 M": HandMade(
            {
                "conv1": ("pair", 0.35),
                "stack1_conv1": ("pair", 0.2),
                "stack1_conv2": ("pair", 0.2),
                "stack2_conv1": ("pair", 0.42),
                "stack2_shortcut": ("pair", 0.6),
                "stack3_conv1": ("pair", 0.5),
                "stack3_shortcut": ("pair", 0.6),
            }
        ),
        "4.7 M": HandMade(
            {
                "conv1": ("pair", 0.35),
                "stack1_conv1": ("pair", 0.2),
                "stack1_conv2": ("pair", 0.2),
                "stack2_conv1": ("pair", 0.45),
                "stack3_conv1": ("pair", 0.6),
            }
        ),
        "2.6 M": HandMade(
            {
                "conv1": ("pair", 0.11),
                "stack1_conv1": ("pair", 0.14),
                "stack1_conv2": ("pair", 0.09),
                "stack2_conv1": ("pair", 0.22),
                "stack2_conv2": ("pair", 0.13),
                "stack2_shortcut": ("pair", 0.5),
                "stack3_conv1": ("pair", 0.18),
                "stack3_conv2": ("pair", 0.1),
                "stack3_shortcut": ("pair", 0.5),
            }
        ),
        "4.5 M": HandMade(
            {
                "conv1": ("pair", 0.3),
                "stack1_conv1": ("pair", 0.2),
                "stack1_conv2": ("pair", 0.2),
                "stack2_conv1": ("pair", 0.4),
                "stack3_conv1": ("pair", 0.45),
            }
        ),
    },
}
"""By network and by their cycles on the M33, about. Winograd kernels can skip whole kernels. Where a layer keeps few
pairs, direct kernels compute it, and pairs cost less accuracy."""

NO_LOSS: Mapping[str, HandMade] = {
    "lenet": HandMade({"conv1": ("pair", 0.48), "conv2": ("kernel block", 0.86)}),
    "alexnet": HandMade(
        {
            "conv1": ("pair", 0.3),
            "conv2": ("kernel block", 0.68),
            "conv3": ("kernel", 0.71),
            "conv4": ("kernel", 0.86),
        }
    ),
    "resnet8": HandMade(
        {
            "conv1": ("pair", 0.45),
            "stack1_conv1": ("pair", 0.3),
            "stack2_conv1": ("pair", 0.4),
            "stack3_conv1": ("pair", 0.55),
        }
    ),
}
"""By network, what `benchmarks.training.no_loss` trains: what saves most cycles for the distortion."""
