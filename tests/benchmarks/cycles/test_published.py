"""Builds of others, priced, and the table of published figures."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.cycles import published
from benchmarks.pages.document import fill

ROOT = Path(__file__).parents[3]
NETWORK = """
#include <stdint.h>
int network_run(const int8_t *input, int8_t *output)
{
    for (int i = 0; i < 4; i++) {
        int32_t sum = 0;
        for (int j = i; j < 1960; j += 4)
            sum += input[j];
        output[i] = (int8_t)(sum >> 8);
    }
    return 0;
}
"""


def test_the_table_of_the_page_is_that_of_the_figures() -> None:
    results = json.loads((ROOT / "benchmarks/results/published.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/cycles.md").read_text(encoding="utf-8")
    assert fill(page, {"published": published.summary(results)}) == page
    assert {entry["network"] for build in results["builds"] for entry in build["compared"]} == {
        *published.NETWORKS
    }
    assert all(build["bytes_off_reference"] == 0 for build in results["builds"])


def test_a_build_is_priced(tmp_path: Path) -> None:
    (tmp_path / "network.c").write_text(NETWORK)
    elf = tmp_path / "network.elf"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=soft", "-O2", "-nostartfiles"]
    link = ["-Wl,--entry=network_run,-Ttext=0x08000000,-Tdata=0x20000000,--no-warn-rwx-segments"]
    subprocess.run([*command, *link, str(tmp_path / "network.c"), "-o", str(elf)], check=True)
    output = tmp_path / "published.json"
    assert published.main([f"micro_speech:cortex-m33:{elf}", "--output", str(output)]) == 0
    [build] = json.loads(output.read_text())["builds"]
    assert 3 * 1960 < build["cycles_without_waits"] < 10 * 1960
    assert list(build["functions"]) == ["network_run"]
    [entry] = build["compared"]
    assert entry["modeled_cycles"] == [build["cycles_without_waits"]] * 2
    assert entry["modeled_over_published"] == pytest.approx(build["cycles_without_waits"] / 1.71e6, abs=1e-3)

    other = {**build, "build": "other.elf"}
    output.write_text(json.dumps({"builds": [other, build]}))
    arguments = [f"micro_speech:cortex-m33:{elf}", "--output", str(output)]
    assert published.main(arguments) == 0
    assert json.loads(output.read_text())["builds"] == [other, build]
    output.write_text(json.dumps({"builds": [{**build, "bytes_off_reference": 0}]}))
    with pytest.raises(SystemExit, match=r"network.elf in .* output compared True and not False"):
        published.main(arguments)


@pytest.mark.parametrize(
    "build", ["resnet8", "resnet8:cortex-m7:a.elf", "lenet:cortex-m4:a.elf", "resnet8:cortex-m4:none"]
)
def test_unknown_builds_are_refused(build: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        published.main([build])
    message = capsys.readouterr().err
    assert "expected NETWORK:CORE:ELF with one of" in message or "there is no file 'none'" in message
