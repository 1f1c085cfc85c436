"""``make fuzz``: many cases, counted by kind; a finding is printed with the way to repeat it."""

import argparse
import faulthandler
import random
import sys
import time
import traceback
import warnings
from collections import Counter

from .cases import kinds

# Seconds for so many cases, of some milliseconds each.
HANGS_AFTER, WATCHED = 300, 50


def main(argv=None):
    """Run cases of all kinds, and tell their numbers; 1 where there are findings."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=24_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", help="only kinds whose name begins so")
    parser.add_argument("--one", type=int, help="only the case of this number, with its traceback")
    args = parser.parse_args(argv)
    table = {k: v for k, v in kinds().items() if k.startswith(args.kind or "")}
    total = sum(share for _, share in table.values())
    counts, findings, began = Counter(), {}, time.perf_counter()
    for kind, (case, share) in table.items():
        n = round(args.cases * share / total) if args.one is None else 1
        for i in range(args.one or 0, (args.one or 0) + n):
            if i % WATCHED == 0 or args.one is not None:
                # What hangs is ended, with a traceback.
                faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            try:
                warnings.simplefilter("ignore", UserWarning)
                case(random.Random(f"{args.seed}/{kind}/{i}"))
            except Exception as error:
                where = f"--seed {args.seed} --kind '{kind}' --one {i}"
                findings.setdefault(f"{kind}: {error!s:.200}", []).append(where)
                if args.one is not None:
                    traceback.print_exc()
            counts[kind] += 1
        faulthandler.cancel_dump_traceback_later()
        print(f"{counts[kind]:6}  {kind}  {time.perf_counter() - began:.0f} s", flush=True)
    print(f"{counts.total():6}  cases in {time.perf_counter() - began:.0f} s, seed {args.seed}")
    for text, places in findings.items():
        print(f"\n{len(places)} x {text}\n    repeat with: {places[0]}")
    print(f"\n{sum(map(len, findings.values()))} findings of {len(findings)} sorts")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
