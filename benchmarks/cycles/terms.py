"""Where the cycles of a planned layer go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from export.costing.counting.kernel_cycles import step_cycles
from export.costing.counting.plans import count_plan
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from export.kernels.language.steps import ACCUMULATORS, Step, register_name
from export.kernels.plan import calls_of
from export.schedule.stage import Stage
from export.targets import Timing

PRODUCTS, INPUTS, CONSTANTS, TRANSFORMS = "products", "inputs", "constants", "transforms"
REQUANTIZATION, LOOPS, ELEMENTWISE = "requantization", "loops and calls", "elementwise"
TERMS = (PRODUCTS, INPUTS, CONSTANTS, TRANSFORMS, REQUANTIZATION, LOOPS, ELEMENTWISE)

_BY_NAME: Mapping[str, str] = {
    **dict.fromkeys(("MAC", "MAC_LOW", "MAC_HIGH"), PRODUCTS),
    **dict.fromkeys(("X", "EVEN", "ODD"), INPUTS),
    **dict.fromkeys(
        ("SET", "AGAIN", "DONE", "NEXT", "PAST", "GOTO", "LAST", "LAST_FAR", "LABEL", "ALIGN"), LOOPS
    ),
    **dict.fromkeys(("ADD", "SUB", "ADD_FAR", "SUB_FAR", "MOVED", "MOVED_BACK", "MOVED_FAR"), LOOPS),
}
_OF_DIRECT: Mapping[str, str] = {**_BY_NAME, "DOT_FROM": PRODUCTS}
_SUMS = {register_name(role) for role in ACCUMULATORS[:6]}
"""Registers that direct kernels load biases into; kernels of weights in bytes load those into the last two."""
_OF_WINOGRAD: Mapping[str, str] = {
    **_BY_NAME,
    **dict.fromkeys(("DOT", "ZERO"), PRODUCTS),
    **dict.fromkeys(("LDM2", "LDR_NEXT", "LDRD"), INPUTS),
    **dict.fromkeys(
        ("LDR", "STR", "STORE_SUMS", "SAVE", "FETCH", "SUM", "DIFFERENCE", "SUM_LEFT"), TRANSFORMS
    ),
    **dict.fromkeys(("SUM16", "DIFFERENCE16", "WIDEN_EVEN", "WIDEN_ODD"), TRANSFORMS),
    **dict.fromkeys(("UNTIL", "STRIDE", "ADVANCE", "RETREAT", "POINT", "LDRC_NEXT"), LOOPS),
}

_OF_PLANES: Mapping[str, str] = {
    **_BY_NAME,
    **dict.fromkeys(("DOT_FROM", "LOW_LOW", "LOW_HIGH", "HIGH_LOW"), PRODUCTS),
    "LDR": INPUTS,
    **dict.fromkeys(("PACK_LOW", "PACK_HIGH", "STR", "WIDEN_EVEN", "WIDEN_ODD"), TRANSFORMS),
    **dict.fromkeys(("UNTIL", "MORE", "ADVANCE", "POINT", "POINT_BACK", "SAVE", "FETCH", "COPY"), LOOPS),
}


def term_cycles(stage: Stage, timing: Timing) -> dict[str, int]:
    """Predicted cycles of a layer by what they are spent on; their sum is the layer's predicted cycles.

    `requantization` holds biases, max pools on accumulators and stores too, but not the sums of Winograd's algorithm,
    which `transforms` holds; `elementwise` is whatever layers without products do, their loops apart. A wait for an
    operand counts for what was issued before it.

    Args:
        stage: A layer with a plan.
        timing: The core's pipeline.
    """
    assert stage.plan is not None
    weighted = isinstance(stage.op, Conv2D | DepthwiseConv2D | FullyConnected)
    calls = Counter((call.kernel, tuple(sorted(call.counts.items()))) for call in calls_of(stage.plan))
    families = {"winograd": _OF_WINOGRAD, "planes": _OF_PLANES}
    names = next(
        (one for family, one in families.items() if stage.plan.variant.startswith(family)), _OF_DIRECT
    )
    found: Counter[str] = Counter()
    for (number, counts), times in calls.items():
        steps = stage.plan.kernels[number].steps
        for term, cycles in zip(
            _terms(steps, names, weighted), step_cycles(steps, timing, dict(counts)), strict=True
        ):
            found[term] += times * cycles
    total = count_plan(stage.plan, timing).cost.cycles
    assert total is not None
    found[LOOPS] += total - found.total()  # the compiled calls
    return {term: found[term] for term in TERMS}


def _terms(steps: Sequence[Step], names: Mapping[str, str], weighted: bool) -> list[str]:
    """The term of every step. Constants that a requantization takes are its own, those of a product are constants."""
    terms, used_by = [], ELEMENTWISE
    if any(item.name == "DOT" for item in steps):  # what kernels of products load are inputs, not sums
        names = {**names, "LDR": INPUTS}
    for item in reversed(steps):
        term = names.get(item.name, REQUANTIZATION if weighted else ELEMENTWISE)
        if item.name.startswith("LOAD"):
            term = REQUANTIZATION if names is _OF_DIRECT and item.args[0] in _SUMS else used_by
        elif term in (PRODUCTS, REQUANTIZATION):
            used_by = CONSTANTS if term == PRODUCTS else REQUANTIZATION
        terms.append(term)
    return terms[::-1]
