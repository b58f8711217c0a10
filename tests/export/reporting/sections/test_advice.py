"""Advice about slow layers."""

from __future__ import annotations

from export.artifact.manifest import LayerInfo
from export.reporting.sections.advice import suggestions


def test_advice_follows_the_kernel():
    def of(cycles, **changes):
        base = {"index": 1, "kind": "conv2d", "name": "a", "source": "a.c", "kernel": "loop", "macs": 1000}
        base |= {
            "kept_macs": 1000,
            "predicted_cycles": 600,
            "predicted_flash_bytes": 10,
            "roofline_cycles": 500,
        }
        base |= {"predicted_board_cycles": (600, 600), "copied_bytes": 0, **changes}
        return " ".join(suggestions(LayerInfo(**base), cycles))

    assert "skip products" in of(600)
    assert "more channels" not in of(600)
    assert "more channels" in of(2000)
    assert "whole pairs" in of(600, kept_macs=500)
    assert of(600, kept_macs=500, kernel="unpacked") == ""
    assert "waits for flash" in of(600, predicted_board_cycles=(900, 1000))
    assert of(600, kind="depthwise_conv2d", kernel="planes") == ""  # depthwise layers skip nothing
    assert "has a kernel" in of(600, kernel="plain", macs=0, kept_macs=0, roofline_cycles=None)
