"""Run the cases: all, or those named. Each is a process of its own and writes bench/results/<case>.json.

python -m bench [engines|graph|learn|record|row|serving ...] [--quick]
"""

import subprocess
import sys
import time
from pathlib import Path

CASES = {
    "engines": "bench.engines",
    "graph": "bench.graph",
    "learn": "bench.learn",
    "row": "bench.row",
    "record": "bench.record",
    "serving": "bench.serving",
}


def main():
    names = [argument for argument in sys.argv[1:] if not argument.startswith("-")] or list(CASES)
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    unknown = [name for name in names if name not in CASES]
    if unknown:
        sys.exit(f"unknown case {', '.join(unknown)}; available: {', '.join(CASES)}")
    Path("bench/results").mkdir(exist_ok=True)
    failed = []
    for name in names:
        print(f"── {name} ", "─" * (70 - len(name)), flush=True)
        begun = time.monotonic()
        code = subprocess.run([sys.executable, "-m", CASES[name], *options]).returncode
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        failed += [name] if code else []
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
