"""Runs many inputs, shows how far it has come, and keeps what it finds.

`python -m tests.fuzz --count 50000 --seed 0` begins with input 0; `--start N` goes on with input N, with `--count 1`
it is the only one. Every finding is printed, and its input kept in the folder `--out`. In that folder `running` holds
the number of the present input, should one end the process itself.
"""

import argparse
import faulthandler
import os
import sys
import time
from collections import Counter
from pathlib import Path

from .runner import Fuzzer, own_cache

LONGEST = 120
"""Seconds after which an input that no signal reaches ends the process."""


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="how many inputs")
    parser.add_argument("--start", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", action="append", help="only this one; may be given several times")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"), help="folder for what is found")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    real = os.fdopen(os.dup(2), "w")
    found, times, counts = Counter(), Counter(), Counter()
    with own_cache():
        fuzzer = Fuzzer(given.seed, given.format)
        for number in range(given.start, given.start + given.count):
            (given.out / "running").write_text(str(number))
            faulthandler.dump_traceback_later(LONGEST, exit=True, file=real)
            began = time.perf_counter()
            finding = fuzzer.run(number)
            name = fuzzer.formats[number % len(fuzzer.formats)].name
            times[name] += time.perf_counter() - began
            counts[name] += 1
            if finding:
                found[name] += 1
                path = given.out / f"{given.seed}-{number}.{name}"
                path.write_bytes(finding.data)
                print(f"{path}: {finding.what}", flush=True)
            if counts.total() % 1000 == 0:
                print(f"{number + 1}: {counts.total()} inputs, {found.total()} findings", file=sys.stderr, flush=True)
    faulthandler.cancel_dump_traceback_later()
    for name, count in counts.items():
        print(f"{name:<12} {count:>7} inputs {times[name]:>8.1f} s {found[name]:>5} findings")
    print(f"{'all':<12} {counts.total():>7} inputs {times.total():>8.1f} s {found.total():>5} findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
