"""What a wrapped model keeps and skips, per layer: data, and the table that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.graph.topology import calls
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.layers.registry import positions
from keras_approx.layers.skip_wrapper import SkipWrapper, skip_wrappers
from keras_approx.layers.transposed_conv import TransposedConv2D
from keras_approx.notebooks import html_table
from keras_approx.skipping.granularity import first_matches, group_sums
from keras_approx.text import plural, text_table


@dataclass(frozen=True)
class LayerRow:
    """One layer that multiplies.

    Attributes:
        name: Layer name.
        kind: Layer class, such as "Conv2D".
        products: Products (MACs) of one inference with nothing skipped.
        kept: Products that are kept.
        pairs: Pairs of weights that one dual multiply-accumulate instruction takes; None if the layer does
            not skip.
        pairs_kept: Pairs of which at least one product is kept; None likewise.
        kernels: Kernels from two input channels to one output channel: what a product of Winograd's algorithm is for;
            None likewise.
        kernels_kept: Kernels of which at least one product is kept; None likewise.
        empty_channels: Numbers of the output channels of which no product is kept: they are constant.
        unmasked: Why the layer has no mask; empty if it has one.
        quantized: Whether it computes with int8 weights already, as it does once the model is calibrated.
    """

    name: str
    kind: str
    products: int
    kept: int
    pairs: int | None
    pairs_kept: int | None
    kernels: int | None
    kernels_kept: int | None
    empty_channels: tuple[int, ...] = ()
    unmasked: str = ""
    quantized: bool = True


@dataclass(frozen=True)
class Summary:
    """The layers of a wrapped model that multiply, in model order."""

    rows: tuple[LayerRow, ...]

    @property
    def products(self) -> int:
        """Products of one inference with nothing skipped."""
        return sum(row.products for row in self.rows)

    @property
    def kept(self) -> int:
        """Products that are kept."""
        return sum(row.kept for row in self.rows)

    @property
    def share(self) -> float:
        """The share of the products that is kept; 1 without products."""
        return self.kept / self.products if self.rows else 1.0

    def skipping(self, exempt: Sequence[str] = ()) -> Summary:
        """The layers whose products can be skipped.

        Args:
            exempt: Names or patterns of layers that keep all by choice.
        """
        masked = tuple(row for row in self.rows if row.pairs is not None)
        free = first_matches(exempt, [row.name for row in masked])
        return Summary(tuple(row for row in masked if free[row.name] is None))

    def notes(self) -> list[str]:
        """Sentences on layers without a mask, and on those that are not quantized yet, each with its reason."""
        reasons: dict[str, list[str]] = {}
        for row in self.rows:
            if row.unmasked:
                reasons.setdefault(row.unmasked, []).append(row.name)
        found = [f"No mask: {', '.join(names)}; {reason}." for reason, names in reasons.items()]
        floating = [row.name for row in self.rows if not row.quantized]
        if floating:
            names = "all layers" if len(floating) == len(self.rows) else ", ".join(floating)
            found.append(f"Not quantized before keras_approx.calibrate: {names}.")
        return found

    def phrase(self, exempt: Sequence[str] = ()) -> str:
        """What is kept, in a phrase: of the products that can be skipped and, where there are others, of all."""
        skipping = self.skipping(exempt)
        of_all = "" if len(skipping.rows) == len(self.rows) else f" ({self.share:.1%} of all)"
        return f"keeps {skipping.share:.1%} of the products that can be skipped{of_all}"

    def __repr__(self) -> str:
        counted = f"{self.kept:,} of {plural(self.products, 'product')} kept"
        return f"<Summary of {plural(len(self.rows), 'layer')}: {counted}>"

    def _repr_html_(self) -> str:
        head, *rows = _cells(self)
        return html_table(head, rows, left=2, note=" ".join(self.notes()))


def masked_layers(model: Any) -> list[str]:
    """Names of the layers that carry masks, in the order in which they run.

    Raises:
        NotWrappedError: If the model is not wrapped.
    """
    skip_wrappers(model)
    return [call.layer.name for call in calls(model) if isinstance(call.layer, SkipWrapper)]


def mask_positions(model: Any) -> dict[str, int]:
    """How many products each weight stands for, by the name of the layers that carry masks."""
    skip_wrappers(model)
    return {layer.name: times for layer, times in _uses(model) if isinstance(layer, SkipWrapper)}


def _uses(model: Any) -> list[tuple[QuantizedWrapper, int]]:
    """The layers that multiply, each with the applications of its kernel in one inference, over all its calls."""
    found: dict[int, tuple[QuantizedWrapper, int]] = {}
    for call in calls(model):
        if isinstance(call.layer, QuantizedWrapper):
            # A transposed kernel is applied at each input.
            transposed = isinstance(call.layer.layer, TransposedConv2D)
            shape = tuple(call.input_tensors[0].shape)[1:] if transposed else call.shape
            layer, times = found.get(id(call.layer), (call.layer, 0))
            found[id(call.layer)] = (layer, times + positions(shape))
    return list(found.values())


def summarize(model: Any) -> Summary:
    """Counts products and pairs.

    Raises:
        NotWrappedError: If the model is not wrapped.
    """
    skip_wrappers(model)
    return Summary(tuple(_row(layer, times) for layer, times in _uses(model)))


def _row(layer: QuantizedWrapper, times: int) -> LayerRow:
    products = times * int(layer.kernel.shape.num_elements())
    kind, quantized = type(layer.layer).__name__, bool(layer.calibrated.numpy())
    if not isinstance(layer, SkipWrapper):
        whole = (None, None, None, None)
        return LayerRow(
            layer.name, kind, products, products, *whole, unmasked=layer.spec.whole, quantized=quantized
        )
    mask = layer.get_mask()
    pairs, kernels = (group_sums(mask, granularity) for granularity in ("pair", "kernel"))
    empty = np.flatnonzero(~mask.any(axis=tuple(range(mask.ndim - 1))))
    return LayerRow(
        layer.name,
        kind,
        products,
        times * int(mask.sum()),
        pairs.size,
        int(np.count_nonzero(pairs)),
        kernels.size,
        int(np.count_nonzero(kernels)),
        tuple(int(channel) for channel in empty),
        quantized=quantized,
    )


def format_table(summary: Summary) -> str:
    """The table that `keras_approx.summary` prints, and its notes."""
    head, *rows = _cells(summary)
    first, *lines = text_table(head, rows, text=(0, 1)).split("\n")
    rule, layers = "-" * len(first), len(summary.rows)
    return "\n".join([first, rule, *lines[:layers], rule, *lines[layers:], *summary.notes()])


def _cells(summary: Summary) -> list[tuple[str, ...]]:
    """The head, a row a layer, and the totals."""
    counted = ("pairs", "pairs kept", "kernels", "kernels kept", "empty channels")
    lines: list[tuple[str, ...]] = [("layer", "kind", "products", "kept", "kept %", *counted)]
    lines += [
        (
            *(row.name, row.kind, *_counts(row.products, row.kept)),
            *map(_count, (row.pairs, row.pairs_kept, row.kernels, row.kernels_kept)),
            f"{len(row.empty_channels)}",
        )
        for row in summary.rows
    ]
    skipping = summary.skipping()
    totals = [("total", summary)]
    if 0 < len(skipping.rows) < len(summary.rows):
        totals.insert(0, ("can be skipped", skipping))
    blank = [""] * len(counted)
    return lines + [(name, "", *_counts(found.products, found.kept), *blank) for name, found in totals]


def _counts(products: int, kept: int) -> tuple[str, str, str]:
    return f"{products:,}", f"{kept:,}", f"{100 * kept / products:.1f}"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def summary(model: Any, print_fn: Callable[[str], Any] | None = print) -> Summary:
    """Prints what a wrapped model keeps and skips, per layer, and returns it as data.

    Args:
        model: A wrapped model.
        print_fn: Takes the table as one string; None prints nothing.

    Raises:
        NotWrappedError: If the model is not wrapped.
    """
    found = summarize(model)
    if print_fn is not None:
        print_fn(format_table(found))
    return found
