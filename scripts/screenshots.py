"""Takes the pictures of the documentation: `make pictures`, or `python scripts/screenshots.py`.

It explores the LeNet of examples/, writes a report on it, builds the site, and shows both to a headless Chromium, wide
and as narrow as a phone. The pictures go to docs/pictures. It takes minutes, and needs `apt-get install chromium`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT / "examples"))

PICTURES = _ROOT / "docs/pictures"
_WIDE, _PHONE = 1100, 390  # pixels
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TARGET = "nucleo-u575zi-q"
_SECONDS = 300


def browser() -> str:
    """The path of a browser.

    Raises:
        SystemExit: None is installed.
    """
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    raise SystemExit(f"expected one of {', '.join(_BROWSERS)}, found none: apt-get install chromium")


def photograph(page: Path, picture: Path, *, width: int, height: int) -> None:
    """Saves what a browser shows of a page in a window of this size.

    Args:
        page: A file of HTML.
        picture: A .png to write.
        width: Of the page, in pixels.
        height: From its top.
    """
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # A window cannot be as narrow as a phone, but a frame inside it can.
        frame = Path(folder) / "frame.html"
        frame.write_text(
            f'<body style="margin:0"><iframe src="{page.resolve().as_uri()}" '
            f'style="width:{width}px;height:{height}px;border:0"></iframe></body>',
            encoding="utf-8",
        )
        command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", "--allow-file-access-from-files"]
        command += ["--virtual-time-budget=5000"]
        command += [f"--window-size={max(width, 500)},{height}", f"--screenshot={folder}/whole.png"]
        subprocess.run(
            [*command, frame.as_uri()],
            check=True,
            timeout=_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        from PIL import Image  # noqa: PLC0415 (an extra's)

        with Image.open(Path(folder) / "whole.png") as whole:
            whole.convert("RGB").crop((0, 0, width, height)).quantize(64).save(picture, optimize=True)
    print(f"wrote {picture.relative_to(_ROOT)}", flush=True)


def report(folder: Path) -> Path:
    """A report on a small exploration of LeNet and on two of its exports.

    Returns:
        The page.
    """
    import cifar10  # noqa: PLC0415 (imports TensorFlow)
    import networks  # noqa: PLC0415

    import export  # noqa: PLC0415
    import keras_approx  # noqa: PLC0415

    data = cifar10.load()
    model = keras_approx.wrap(networks.pretrained("lenet"), compensate=True, input_range=cifar10.INPUT_RANGE)
    keras_approx.calibrate(model, data.train.inputs[:1000])
    front = keras_approx.explore(
        model,
        calibration=data.train.inputs[:500],
        validation=(data.validation.inputs[:500], data.validation.labels[:500]),
        price=export.Pricer(model, target=_TARGET),
        search=keras_approx.Budget(8, rounds=1),
        significance="energy",
        values=(1.0, 0.7, 0.5, 0.3),
        out=folder / "store",
    )
    exports = {}
    for name in ("exact", "kept25"):
        exports[name] = folder / name
        design = _ROOT / f"benchmarks/results/designs/lenet_{name}.tflite"
        export.to_c(design.read_bytes(), exports[name], target=_TARGET)
    return export.report(front, folder / "report", exports=exports)


def main() -> int:
    browser()
    with tempfile.TemporaryDirectory() as folder:
        page = report(Path(folder))
        photograph(page, PICTURES / "report.png", width=_WIDE, height=1500)
        photograph(page, PICTURES / "report_phone.png", width=_PHONE, height=1500)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--no-directory-urls"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--site-dir", folder], cwd=_ROOT, check=True)
        tutorial = Path(folder) / "tutorials/bare_tflite.html"
        photograph(tutorial, PICTURES / "tutorial.png", width=_WIDE, height=1000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
