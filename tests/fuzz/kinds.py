"""The kinds of attack and accident, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.accidents import kills
from tests.fuzz.campaign import Kind
from tests.fuzz.files import archives, arrays, fronts, manifests, prepare_archives, stores
from tests.fuzz.networks import arm, models, networks

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("models", models, seconds=30, megabytes=1500),
        Kind("networks", networks, seconds=120, megabytes=None),  # sanitizers reserve all addresses there are
        Kind("arm", arm, seconds=120, megabytes=None),
        Kind("manifests", manifests, seconds=10),
        Kind("fronts", fronts, seconds=10),
        Kind("stores", stores, seconds=10),
        Kind("arrays", arrays, seconds=10),
        Kind("archives", archives, seconds=120, megabytes=None, prepare=prepare_archives),
        Kind("kills", kills, seconds=120),
    )
}
