"""Random networks of every operator: several inputs, branches that join, states, several outputs."""

from __future__ import annotations

import numpy as np

from tests.export.models.bench import Bench, delayed
from tests.export.models.model_builder import Value
from tests.export.models.random_steps import STEPS, is_image

_LARGEST = 1500  # elements of an activation


def random_network(seed: int) -> bytes:
    """A network of 3 to 12 random steps, each on the newest tensor or an earlier one; some end in indices."""
    rng = np.random.default_rng(seed)
    bench = Bench(seed)
    known = [bench.x, bench.s, bench.v]
    unread = set[int]()
    for _ in range(int(rng.integers(3, 13))):
        x = known[-1] if rng.random() < 0.6 else known[int(rng.integers(len(known)))]
        if rng.random() < 0.4:  # most operators want images, and few make them
            x = [value for value in known if is_image(value)][-1]
        steps = [step for step, fits in STEPS if fits(x)]
        made = steps[int(rng.integers(len(steps)))](bench, rng, x)
        if int(np.prod(made.shape)) <= _LARGEST:
            known.append(made)
            unread.discard(x.index)
            unread.add(made.index)
    if rng.random() < 0.3:
        known.append(delayed(bench))
        unread.add(known[-1].index)
    outputs = [value for value in known if value.index in unread] or [known[-1]]
    outputs = outputs[-3:]
    if rng.random() < 0.2 and outputs[-1].shape:
        outputs[-1] = _index(bench, rng, outputs[-1])
    return bench.builder.finish(bench.inputs, outputs)


def _index(b: Bench, rng: np.random.Generator, x: Value) -> Value:
    axis = int(rng.integers(0, len(x.shape)))
    name = str(rng.choice(["ARG_MAX", "ARG_MIN"]))
    return b.indices(name, x, axis, (*x.shape[:axis], *x.shape[axis + 1 :]))
