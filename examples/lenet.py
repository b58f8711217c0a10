"""lenet, the short way: `fine_tune` does it all, with a quarter of the products kept.

python examples/lenet.py
python examples/lenet.py --kept 0.35 --epochs 20 --data cifar10.npz
"""

from __future__ import annotations

import sys

from common import finish, float_network, parse, training_arguments

import keras_approx


def main(arguments: list[str] | None = None) -> int:
    options = parse("lenet", __doc__, arguments, kept=0.25, epochs=10)
    network = float_network("lenet", options)

    # Wraps, calibrates, skips all products that go at once, and fits the other weights. Then the network learns from
    # its labels and from what it said before; skipped products stay skipped.
    model, _ = keras_approx.fine_tune(network, kept=options.kept, **training_arguments(options))

    finish(model, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
