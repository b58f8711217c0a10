"""The arena over time."""

from __future__ import annotations

from export.artifact.manifest import read_manifest
from export.reporting.sections.memory import used_bytes


def test_the_arena_is_as_large_as_what_lies_in_it_at_most(exported):
    manifest = read_manifest(exported["exact"])
    used = [used_bytes(manifest, layer.index) for layer in manifest.layers]
    assert 0 < max(used) <= manifest.arena_bytes
    for layer in manifest.layers:
        assert (layer.roofline_cycles is None) == (layer.macs == 0)
        if layer.roofline_cycles:
            if not layer.kernel.startswith("winograd"):  # which multiplies less
                assert layer.kept_macs / 2 <= layer.roofline_cycles * 1.5
            assert layer.predicted_cycles is not None
            assert layer.roofline_cycles < layer.predicted_cycles
