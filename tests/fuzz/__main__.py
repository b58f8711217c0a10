"""`python -m tests.fuzz`: attacks and accidents, from seeds, for as long as there is time; a table at the end."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.campaign import run_campaign, run_case, table
from tests.fuzz.kinds import KINDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=600, help="time for all kinds together (default: 600)"
    )
    parser.add_argument("--seed", type=int, help="of all cases (default: from the clock)")
    parser.add_argument(
        "--kind", action="append", choices=sorted(KINDS), help="only this kind; can be given again"
    )
    parser.add_argument("--case", type=int, help="run one case again, by the number a finding gives")
    options = parser.parse_args()
    kinds = [KINDS[name] for name in options.kind or KINDS]
    if options.case is not None:
        for kind in kinds:
            kind.prepare()
            word, finding, seconds = run_case(kind, options.case)
            print(finding or f"{kind.name} {options.case}: {word} in {seconds:.1f} s")
        return 0
    seed = int(time.time()) % 1_000_000 if options.seed is None else options.seed
    print(f"seed {seed}, {options.seconds:g} seconds", flush=True)
    tallies = run_campaign(kinds, seed, options.seconds, lambda text: print(text, flush=True))
    print(table(tallies))
    return int(any(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
