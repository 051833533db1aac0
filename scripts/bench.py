"""`scripts/bench`: the benchmark. All of it is in `benchmarks`: every process of an audit imports this file again."""

import sys
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    sys.path[1:1] = [str(root), str(root / "tests" / "tools")]
    from benchmarks.run import main

    sys.exit(main())
