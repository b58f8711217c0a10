"""What a `.tflite` needs: not TensorFlow, neither to read, estimate, export and simulate it, nor for the commands."""

from __future__ import annotations

import subprocess
import sys

from tests.export.networks import random_network

_PROGRAM = """
import sys
import numpy as np
import export
from export.commands import main
from export.errors import ToolError
from export.frontend import read_tflite
from export.frontend.reference import make_interpreter

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tf_keras", "keras", "ai_edge_litert"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
data = open(sys.argv[1], "rb").read()
print(export.estimate(data).cycles, export.to_c(data, sys.argv[2], target="stm32f405").path)
assert main(["export", sys.argv[1], "--out", sys.argv[2]]) == 0
inputs = np.zeros((1, *read_tflite(data).tensors[0].shape[1:]), np.int8)
np.save(sys.argv[3], inputs)
assert main(["simulate", sys.argv[2], "--inputs", sys.argv[3]]) == 0
try:
    make_interpreter(data)
except ToolError as error:
    print(error)
loaded = sorted(name for name in sys.modules if name.split(".")[0] in ("tensorflow", "tf_keras", "keras"))
sys.exit(f"loaded {loaded[:3]}" if loaded else 0)
"""


def test_no_tensorflow(tmp_path):
    (tmp_path / "model.tflite").write_bytes(random_network(3))
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "model.tflite"), str(tmp_path / "out")]
    command.append(str(tmp_path / "inputs.npy"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no run on the reference kernels was made" in done.stdout
    assert (tmp_path / "out/model.c").is_file()
