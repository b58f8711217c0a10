"""resnet8, layer by layer: some keep more than the ranking of all layers would leave them.

python examples/resnet8.py
python examples/resnet8.py --kept 0.25 --epochs 14 --data cifar10.npz
"""

from __future__ import annotations

import sys

from common import finish, float_network, parse, training_arguments

import keras_approx
from keras_approx import Eliminate, LayerSetting


def main(arguments: list[str] | None = None) -> int:
    options = parse("resnet8", __doc__, arguments, kept=0.4, epochs=10)
    network = float_network("resnet8", options)

    # One ranking of all layers by significance and cost decides where products go. The first layer, from which all
    # others live, keeps at least 60 % of its own; the last one takes no time, so it keeps everything.
    skipping = Eliminate(options.kept, layers={"conv1": LayerSetting(least=0.6)}, exempt=["logits"])
    model, _ = keras_approx.fine_tune(network, skipping=skipping, **training_arguments(options))

    finish(model, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
