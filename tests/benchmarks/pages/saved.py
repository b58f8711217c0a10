"""Saved figures of small size, and the cells of tables."""

from __future__ import annotations

from typing import Any

from benchmarks.cycles.terms import PRODUCTS, REQUANTIZATION, TERMS


def figures(core: str, cycles: int, waited: tuple[int, int] | None) -> dict[str, Any]:
    terms = dict.fromkeys(TERMS, 0) | {PRODUCTS: 4000, REQUANTIZATION: cycles - 4200}
    conv = {
        "kind": "conv2d",
        "kernel": "unpacked",
        "macs": 16_000,
        "kept_weights": 80,
        "limit": 4000,
        "predicted": cycles - 200,
        "cycles": cycles - 100,
        "board_cycles": waited,
        "flash_bytes": 800,
        "terms": terms,
    }
    softmax = {
        "kind": "softmax",
        "kernel": "plain",
        "macs": 0,
        "kept_weights": 0,
        "limit": None,
        "predicted": None,
        "cycles": 100,
        "board_cycles": None,
        "flash_bytes": 90,
        "terms": {},
    }
    return {
        "core": core,
        "board": None,
        "cycles": cycles,
        "board_cycles": waited,
        "predicted_cycles": cycles,
        "flash_bytes": 9000,
        "ram_bytes": 700,
        "bytes_per_kept_weight": 10.0,
        "images": 3,
        "export_seconds": 1.5,
        "compile_seconds": 2.0,
        "layers": [conv, softmax],
    }


def cells_of(table: str) -> list[list[str]]:
    return [line.strip("|\n ").split(" | ") for line in table.splitlines()[2:]]


def entry(accuracy: float, cycles: int) -> dict[str, Any]:
    sizes = {"flash_bytes": 1000, "ram_bytes": 200}
    return {
        "test_accuracy": accuracy,
        "kept": 0.25,
        "cores": {
            "cortex-m33": {
                "board": "nucleo-u575zi-q",
                "cycles": cycles,
                "board_cycles": (cycles + 10, cycles + 10),
                **sizes,
            },
            "cortex-m4": {"board": None, "cycles": 2 * cycles, "board_cycles": None, **sizes},
            "stm32f405": {
                "board": "stm32f405",
                "cycles": 2 * cycles,
                "board_cycles": (3 * cycles, 4 * cycles),
                **sizes,
            },
        },
    }


HEADLINE = {
    "networks": {
        "resnet8": {"exact": entry(0.83, 12_000_000)},
        "lenet": {
            "1.78 M": entry(0.81, 1_780_427),
            "energy 1.3 M": entry(0.7, 1_300_000),
            "exact": entry(0.8, 4_000_000),
        },
    }
}
