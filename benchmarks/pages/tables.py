"""The figures of `benchmarks.cycles.kernels` as Markdown tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.cycles.terms import TERMS
from benchmarks.shared.options import CORE
from export.targets import Span

# CMSIS-NN at commit 99f736a, called directly, built by GCC 12.2, run and priced as the exports are: cycles on each
# core. Of eight builds each core has its fastest: -Ofast on the M33, -O2 on the M4, either with inline-assembly
# requantization and restrict pointers; the others take up to 7 % more. All outputs are the reference kernels'. Flash
# is that of the M33's build; RAM is activations and scratch buffers.
CMSIS_NN: Mapping[str, Mapping[str, int]] = {
    "lenet": {"cortex-m33": 10_691_472, "cortex-m4": 12_328_824, "flash": 144_048, "ram": 38_304},
    "alexnet": {"cortex-m33": 29_993_515, "cortex-m4": 34_574_534, "flash": 225_660, "ram": 39_456},
    "resnet8": {"cortex-m33": 30_173_234, "cortex-m4": 34_576_954, "flash": 103_164, "ram": 51_456},
}
Records = Sequence[Mapping[str, Any]]
DETAILED = ("exact", "25 % of pairs", "50 % of kernels")
"""Designs that are shown layer by layer."""
_SMALL = 1000  # cycles: layers below are a few calls, of which a percentage says nothing


def gain(network: str, cycles: int) -> float:
    """How many times the cycles CMSIS-NN takes on the M33."""
    return CMSIS_NN[network][CORE] / cycles


def overview(results: Mapping[str, Any]) -> str:
    """Million cycles on the M33 at each fraction of pairs, and how many times fewer than CMSIS-NN's."""
    labels = [label(design) for design in next(iter(results["networks"].values()))["designs"]]
    rows = []
    for name, network in results["networks"].items():
        library = CMSIS_NN[name][CORE]
        cells = []
        for _, by_core in _by_core(network):
            cycles = by_core[CORE]["cycles"]
            cells.append(f"{cycles / 1e6:.2f} M ({library / cycles:.1f}x)")
        rows.append((name, f"{library / 1e6:.2f} M", *cells))
    return table(("cycles, Cortex-M33", "CMSIS-NN", *labels), rows, left=1)


def limits(results: Mapping[str, Any]) -> str:
    """Predicted cycles of exact networks by what RAM their data may fill."""
    found = {name: network["limits"] for name, network in results["networks"].items()}
    head = ("network", *(f"{limit['kib']} KiB" for limit in next(iter(found.values()))))
    rows = [
        (name, *("does not fit" if one["cycles"] is None else _number(one["cycles"]) for one in steps))
        for name, steps in found.items()
    ]
    return table(head, rows, left=1)


def small(results: Mapping[str, Any]) -> str:
    """Predicted figures of exact networks on a board of little flash."""
    found = {name: network["small"] for name, network in results["networks"].items()}
    board = next(iter(found.values()))["board"]
    head = ("network", f"cycles on {board} before waits", "with waits", "flash B", "RAM B")
    rows = [
        (
            name,
            _number(one["cycles"]),
            span(one["board_cycles"], ",.0f"),
            _number(one["flash_bytes"]),
            _number(one["ram_bytes"]),
        )
        for name, one in found.items()
    ]
    return table(head, rows, left=1)


def networks(results: Mapping[str, Any]) -> str:
    """Whole networks: what CMSIS-NN and the baseline take, and what exports take at each fraction of pairs."""
    head = (
        "network",
        "code",
        "M33 cycles",
        "on a U575",
        "M4 cycles",
        "MAC/cycle",
        "speed-up",
        "flash B",
        "RAM B",
    )
    rows = [row for name, network in results["networks"].items() for row in _network_rows(name, network)]
    return table(head, rows, left=2)


def _network_rows(name: str, network: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    macs = sum(layer["macs"] for layer in network["designs"][0]["cores"][0]["layers"])
    library = CMSIS_NN.get(name)
    baseline = {figures["core"]: figures for figures in network["baseline"]}
    reference = library[CORE] if library else baseline[CORE]["cycles"]

    def row(
        code: str, m33: int | None, waited: Sequence[int] | None, m4: int | None, flash: int, ram: int
    ) -> tuple[str, ...]:
        rate = "" if m33 is None else f"{macs / m33:.2f}"
        gain = "" if m33 is None else f"{reference / m33:.1f}"
        return (name, code, _number(m33), span(waited), _number(m4), rate, gain, _number(flash), _number(ram))

    if library:
        cycles = (library[CORE], None, library["cortex-m4"])
        yield row("CMSIS-NN", *cycles, library["flash"], library["ram"])
    for code, by_core in (("baseline", baseline), *_by_core(network)):
        m33, m4 = by_core.get(CORE, {}), by_core.get("cortex-m4", {})
        one = m33 or m4
        cycles = (m33.get("cycles"), m33.get("board_cycles"), m4.get("cycles"))
        yield row(code, *cycles, one["flash_bytes"], one["ram_bytes"])


def _by_core(network: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for design in network["designs"]:
        yield label(design), {figures["core"]: figures for figures in design["cores"]}


def terms(results: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Cycles of all layers together, by what they are spent on.

    Args:
        results: Of `benchmarks.cycles.kernels`.
        others: Of `benchmarks.cycles.layers`, which has exact networks too.
    """
    head = ("network", "core", "kept", "limit", *TERMS, "total")
    found = [
        (name, figures["core"], kept, figures["layers"])
        for name, kept, figures in _designs(results)
        if kept in DETAILED
    ]
    found += [
        (name, core, "exact", figures["layers"])
        for name, by_core in others["networks"].items()
        for core, figures in by_core.items()
    ]
    rows = []
    for name, core, kept, of_network in found:
        spent: Counter[str] = Counter()
        for layer in of_network:
            spent.update(layer["terms"])
        limit = sum(layer["limit"] or 0 for layer in of_network)
        numbers = [limit, *(spent[term] for term in TERMS), sum(spent.values())]
        rows.append((name, _core(core), kept, *map(_number, numbers)))
    return table(head, rows, left=3)


def layers(results: Mapping[str, Any]) -> str:
    """Every layer on the M33: cycles against the limit."""
    head = (
        "network",
        "kept",
        "layer",
        "kernel",
        "limit",
        "cycles",
        "cycles / limit",
        "on a U575",
        "flash B",
    )
    rows = []
    for name, kept, figures in _designs(results):
        if kept not in DETAILED or figures["core"] != CORE:
            continue
        for index, layer in enumerate(figures["layers"]):
            ratio = f"{layer['cycles'] / layer['limit']:.2f}" if layer["limit"] else ""
            numbers = (layer["limit"], layer["cycles"])
            more = span(layer["board_cycles"]), _number(layer["flash_bytes"])
            label = f"{index} {layer['kind']}"
            rows.append((name, kept, label, layer["kernel"], *map(_number, numbers), ratio, *more))
    return table(head, rows, left=4)


def single_layers(measured: Mapping[str, Any]) -> str:
    """The layers of `benchmarks.cycles.layers`: cycles an output and products a cycle on each core."""
    cores = list(measured["layers"][0]["cores"])
    head = ("layer", "kernel", *(f"{_core(core)}, {what}" for core in cores for what in _BY_OUTPUT))
    rows = []
    for layer in measured["layers"]:
        cells = []
        for core in cores:
            cycles = layer["cores"][core]["cycles"]
            cells += [f"{cycles:,}", f"{cycles / layer['outputs']:.1f}", f"{layer['products'] / cycles:.2f}"]
        rows.append((layer["name"], layer["cores"][cores[0]]["kernel"], *cells))
    for name, figures in measured["networks"].items():
        numbers = (cell for core in cores for cell in (f"{figures[core]['cycles']:,}", "", ""))
        rows.append((f"`{name}`, the whole network", "", *numbers))
    return table(head, rows, left=2)


_BY_OUTPUT = ("cycles", "an output", "MAC/cycle")


def checks(results: Mapping[str, Any]) -> str:
    """How right the predictions are, how much flash a weight takes, how long it all takes, what was compared."""
    head = (
        *("network", "core", "kept", "prediction off", "worst layer", "B / kept weight"),
        *("export s", "compile s", "images exact"),
    )
    rows = []
    for name, kept, figures in _designs(results):
        off = figures["predicted_cycles"] / figures["cycles"] - 1
        worst = max(
            (
                layer["predicted"] / layer["cycles"] - 1
                for layer in figures["layers"]
                if layer["predicted"] is not None and layer["cycles"] >= _SMALL
            ),
            key=abs,
        )
        density = figures["bytes_per_kept_weight"]
        rows.append(
            (
                *(name, _core(figures["core"]), kept, f"{100 * off:+.2f} %", f"{100 * worst:+.2f} %"),
                "" if density is None else f"{density:.1f}",
                *(f"{figures['export_seconds']:.1f}", f"{figures['compile_seconds']:.1f}"),
                str(figures["images"]),
            )
        )
    return table(head, rows, left=3)


def _designs(results: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, network in results["networks"].items():
        for design in network["designs"]:
            for figures in design["cores"]:
                yield name, label(design), figures


def _core(name: str) -> str:
    return name.removeprefix("cortex-").upper()


def label(design: Mapping[str, Any]) -> str:
    """What of a network is kept."""
    return "exact" if design["kept"] == 1 else f"{100 * design['kept']:g} % of {design['mask']}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def span(values: Sequence[float] | None, form: str = ",") -> str:
    """The least and the most, as one figure where they are one."""
    return "" if values is None else format(Span(*values), form)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """A Markdown table whose first `left` columns are text."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))
