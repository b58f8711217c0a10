"""What a firmware calls beside `NAME_run`: memory of its own, hooks, conversions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np

from export.analysis.interpreter import run
from export.api import Export, to_c
from export.frontend import read_tflite
from export.ir.real import quantize
from tests.export.comparison import inputs_of
from tests.export.models.networks import random_network, small_classifier
from tests.export.models.recipes import all_at_once

STRICT = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wmissing-prototypes",
]


def build(program: str, exports: list[Export], folder: Path, *flags: str) -> Path:
    """Compiles a program with exported networks."""
    (folder / "program.c").write_text(program)
    sources = [export.path / source for export in exports for source in export.manifest["sources"]]
    includes = [text for export in exports for text in ("-I", str(export.path))]
    command = ["gcc", *STRICT, "-O1", *flags, *includes, *map(str, sources), str(folder / "program.c"), "-o"]
    subprocess.run([*command, str(folder / "program")], check=True)
    return folder / "program"


def call(program: Path, given: bytes = b"") -> bytes:
    return subprocess.run([program], input=given, capture_output=True, check=True).stdout


_TURNS = """\
#include <stdio.h>
#include "one.h"
#include "two.h"
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
static _Alignas(LARGER(ONE_ARENA_ALIGNMENT, TWO_ARENA_ALIGNMENT)) char arena[LARGER(ONE_ARENA_SIZE, TWO_ARENA_SIZE)];
int main(void)
{
    int8_t one_in[ONE_INPUT_SIZE], one_out[ONE_OUTPUT_SIZE], two_in[TWO_INPUT_SIZE], two_out[TWO_OUTPUT_SIZE];
    while (fread(one_in, 1, sizeof one_in, stdin) == sizeof one_in && fread(two_in, 1, sizeof two_in, stdin)) {
        if (one_run_in(arena, one_in, one_out) || two_run_in(arena, two_in, two_out))
            return 1;
        fwrite(one_out, 1, sizeof one_out, stdout);
        fwrite(two_out, 1, sizeof two_out, stdout);
    }
    return 0;
}
"""


def test_two_networks_share_an_arena_in_turn(tmp_path: Path) -> None:
    models = {"one": random_network(3), "two": small_classifier()}
    exports = [to_c(model, tmp_path / name, name=name) for name, model in models.items()]
    flags = ["-DONE_NO_STATIC_ARENA", "-DTWO_NO_STATIC_ARENA"]
    program = build(_TURNS, exports, tmp_path, *flags)
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"(?m) [bBdD] arena$", symbols) == [" b arena"]
    assert not re.search("one_run$|two_run$", symbols, re.M)
    graphs = {name: read_tflite(model) for name, model in models.items()}
    batches = {name: inputs_of(graph, 6) for name, graph in graphs.items()}
    wanted = {name: run(graph, batches[name]) for name, graph in graphs.items()}
    came = call(program, b"".join(batches[name][i].tobytes() for i in range(6) for name in models))
    assert came == b"".join(wanted[name][i].tobytes() for i in range(6) for name in models)


_THREADS = """\
#include <pthread.h>
#include <stdio.h>
#include "net.h"
enum { THREADS = 4, ROUNDS = 50 };
static int8_t in[THREADS][NET_INPUT_SIZE], out[THREADS][NET_OUTPUT_SIZE];
static _Alignas(NET_ARENA_ALIGNMENT) char arenas[THREADS][(NET_ARENA_SIZE + 7) / 8 * 8];
static void *work(void *number)
{
    int *mine = number;
    for (int i = 0; i < ROUNDS; i++)
        net_run_in(arenas[*mine], in[*mine], out[*mine]);
    return 0;
}
int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    if (fread(in, 1, sizeof in, stdin) != sizeof in)
        return 1;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], 0, work, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], 0);
    fwrite(out, 1, sizeof out, stdout);
    return 0;
}
"""


def test_separate_arenas_are_independent(tmp_path: Path) -> None:
    graph = read_tflite(small_classifier())
    exported = to_c(small_classifier(), tmp_path / "out", name="net")
    inputs = inputs_of(graph, 4)
    program = build(_THREADS, [exported], tmp_path, "-pthread", "-fsanitize=thread")
    assert call(program, inputs.tobytes()) == run(graph, inputs).tobytes()


_STREAMS = """\
#include <string.h>
#include "model.h"
static _Alignas(8) char arena[MODEL_ARENA_SIZE], states[2][(MODEL_STATE_SIZE + 7) / 8 * 8];
static int8_t x[128] = {5, -9, 100}, y[2][3][3][64], wanted[3][3][64];
int main(void)
{
    model_inputs in = {x, x, x};
    for (int i = 0; i < 3; i++) {
        model_outputs out = {wanted[i][0], wanted[i][1], wanted[i][2]};
        model_run(&in, &out);
    }
    memset(states, 77, sizeof states);
    model_reset_in(states[0]);
    model_reset_in(states[1]);
    for (int i = 0; i < 3; i++)
        for (int s = 0; s < 2; s++) {
            model_outputs out = {y[s][i][0], y[s][i][1], y[s][i][2]};
            memset(arena, i + s, sizeof arena);
            model_run_in(arena, states[s], &in, &out);
        }
    return memcmp(y[0], wanted, sizeof wanted) || memcmp(y[1], wanted, sizeof wanted) ||
           !memcmp(wanted[0], wanted[1], sizeof wanted[0]);
}
"""


def test_two_streams_keep_a_state_each(tmp_path: Path) -> None:
    exported = to_c(all_at_once(("variable", "lstm", "svdf")), tmp_path / "out")
    call(build(_STREAMS, [exported], tmp_path, "-fsanitize=address,undefined"))


_HOOKS = """\
#include <stdio.h>
#include "net.h"
void net_before_layer(int layer)
{
    printf("%d %s\\n", layer, net_layer_names[layer]);
}
void net_after_layer(int layer)
{
    printf("%d done\\n", layer);
}
int main(void)
{
    static int8_t in[NET_INPUT_SIZE], out[NET_OUTPUT_SIZE];
    return net_run(in, out);
}
"""


def test_hooks_are_called_around_each_layer(tmp_path: Path) -> None:
    exported = to_c(small_classifier(), tmp_path / "out", name="net")
    came = call(build(_HOOKS, [exported], tmp_path, "-DNET_LAYER_HOOKS")).decode().splitlines()
    layers = exported.manifest["layers"]
    assert came == [
        text for layer in layers for text in (f"{layer['index']} {layer['name']}", f"{layer['index']} done")
    ]


_CONVERT = """\
#include <stdio.h>
#include "net.h"
int main(void)
{
    float real;
    while (fread(&real, sizeof real, 1, stdin) == 1) {
        int8_t value = net_quantize_input(real);
        float back = net_dequantize_output(value);
        fwrite(&value, 1, 1, stdout);
        fwrite(&back, sizeof back, 1, stdout);
    }
    return 0;
}
"""


def test_conversions_are_those_of_numpy(tmp_path: Path) -> None:
    graph = read_tflite(small_classifier())
    quant, back = graph.tensors[graph.input].quant, graph.tensors[graph.output].quant
    exported = to_c(small_classifier(), tmp_path / "out", name="net")
    halves = (np.arange(-600, 600) / 2).astype(np.float32) * np.float32(quant.scale)
    rng = np.random.default_rng(0)
    real = np.concatenate(
        [
            *(halves, np.nextafter(halves, np.float32(np.inf)), np.nextafter(halves, np.float32(-np.inf))),
            rng.normal(0, 100 * quant.scale, 1000).astype(np.float32),
            np.array([np.inf, -np.inf, 3e38, -3e38, 1e-45, -0.0], np.float32),
        ]
    )
    came = np.frombuffer(
        call(build(_CONVERT, [exported], tmp_path, "-fsanitize=undefined"), real.tobytes()),
        np.dtype([("value", np.int8), ("real", np.float32)]),
    )
    values = quantize(real, quant.scale, quant.zero_point)
    np.testing.assert_array_equal(came["value"], values)
    np.testing.assert_array_equal(
        came["real"], np.float32(back.scale) * (values.astype(np.float32) - np.float32(back.zero_point))
    )


def test_the_header_gives_shapes(tmp_path: Path) -> None:
    exported = to_c(small_classifier(), tmp_path / "out", name="net")
    text = (exported.path / "net.h").read_text()
    shape = exported.manifest["inputs"][0]["shape"]
    for dimension, extent in zip(("HEIGHT", "WIDTH", "CHANNELS"), shape, strict=True):
        assert f"#define NET_INPUT_{dimension} {extent}\n" in text
    assert "OUTPUT_HEIGHT" not in text
    assert "CLASSES" not in text
