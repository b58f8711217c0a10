"""What a `.tflite` needs: not TensorFlow, neither to read, estimate, export and simulate it, nor for the commands."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import export
from tests.export.models.networks import random_network

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
np.savez(sys.argv[4], inputs=np.zeros((20, *inputs.shape[1:]), np.float32))
command = ["eliminate", sys.argv[1], "--data", sys.argv[4], "--out", sys.argv[1] + "_half.tflite"]
assert main(command) == 0
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
    command += [str(tmp_path / "inputs.npy"), str(tmp_path / "samples.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no run on the reference kernels was made" in done.stdout
    assert (tmp_path / "out/model.c").is_file()


@pytest.mark.parametrize(
    ("arguments", "status", "allowed"),
    [
        (["--help"], 0, ()),
        (["--version"], 0, ()),
        (["fly"], 2, ()),
        (["wrap", "none.keras", "--out", "o.keras"], 1, ("numpy",)),
        (["export", "none.tflite", "--out", "out"], 1, ("numpy",)),
        (["export", "none.tflite", "--out", "out", "--target", "cortex-m99"], 1, ("numpy",)),
        (["simulate", "none", "--inputs", "x.npy"], 1, ("numpy", "pydantic")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_help_and_errors_import_little(arguments, status, allowed):
    # Milliseconds differ by machine; what is imported does not.
    heavy = {"numpy", "pydantic", "scipy", "h5py", "tensorflow", "unicorn", "export.api", "export.schedule"}
    code = (
        "import sys\nfrom export.commands import main\n"
        "try: status = main(sys.argv[2:])\nexcept SystemExit as stopped: status = stopped.code\n"
        "found = set(sys.argv[1].split(',')) & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(found)}, status {status}' if found else status)"
    )
    refused = ",".join(heavy - {*allowed})
    done = subprocess.run(
        [sys.executable, "-c", code, refused, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr


def test_every_public_name_is_there():
    # Packages are not named like functions: importing one would hide the other.
    for name in export.__all__:
        assert callable(getattr(export, name))
        assert importlib.util.find_spec(f"export.{name}") is None
    assert {*export._HOMES} == {*export.__all__}
    with pytest.raises(AttributeError, match="no attribute 'import'"):
        getattr(export, "import")


def test_elimination_without_scipy_names_its_extra(tmp_path):
    (tmp_path / "model.tflite").write_bytes(random_network(3))
    code = (
        "import sys\nsys.modules['scipy'] = None\nfrom export.commands import main\n"
        "sys.exit(main(['eliminate', sys.argv[1], '--data', 'none.npz', '--out', 'none.tflite']))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "pip install 'keras_approx[eliminate]'" in done.stderr
