"""An Arduino library with an example sketch."""

from __future__ import annotations

from export.packaging.example import Sample, sketch

ADVICE = (
    "Arduino: copy this folder to the sketchbook's `libraries/` as `{name}`; `#include <{name}.h>` in a sketch, or "
    "open File > Examples > {name} > classify."
)
_PROPERTIES = """\
name={name}
version=1.0.0
author=keras_approx
maintainer=keras_approx
sentence=The int8 network {name} as C for Cortex-M.
paragraph=Call {name}_run; README.md says how.
category=Data Processing
url=
architectures=*
includes={name}.h
"""


def files(name: str, sample: Sample) -> dict[str, str]:
    """library.properties and the example sketch.

    Args:
        name: Of the network and the library.
        sample: What the sketch runs.
    """
    return {
        "library.properties": _PROPERTIES.format(name=name),
        "examples/classify/classify.ino": sketch(name, sample),
    }
