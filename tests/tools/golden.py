"""The catalogue as one document, to be pinned: a released event type is never edited.

python tests/tools/golden.py            compare, and exit with 1 when something differs
python tests/tools/golden.py --write    write it anew, which is right only for types that were added, or before a release
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATH = ROOT / "tests" / "golden" / "catalogue.json"
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from ledger.events import CATALOGUE  # noqa: E402


def catalogue_document() -> dict[str, Any]:
    """Return {type: {schema, says, refs, erasable}}; `refs` is {field: kind}."""
    return {
        event_type: {
            "schema": cls.model_json_schema(),
            "says": cls.says,
            "refs": {field: kind for kind, field, _ in cls.ref_fields},
            "erasable": list(cls.erasable_fields),
        }
        for event_type, cls in sorted(CATALOGUE.items())
    }


def render() -> str:
    return json.dumps(catalogue_document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the catalogue with its golden file, or write that anew.")
    parser.add_argument("--write", action="store_true", help="write tests/golden/catalogue.json")
    if parser.parse_args().write:
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(render())
        return 0
    pinned, found = json.loads(PATH.read_text()), json.loads(render())
    different = sorted(name for name in pinned.keys() | found.keys() if pinned.get(name) != found.get(name))
    for name in different:
        print(f"{name} is not as it was pinned")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
