"""What is pinned: the catalogue, of which a released event type is never edited; and which rules each version of a gate asks, since a
decision names the version.

python tests/tools/golden.py            compare, and exit with 1 when something differs
python tests/tools/golden.py --write    write it anew: for types that were added, or before a release; of gates only versions are added
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATH = ROOT / "tests" / "golden" / "catalogue.json"
GATES_PATH = ROOT / "tests" / "golden" / "gates.json"
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from ledger.events import CATALOGUE  # noqa: E402
from projections.gates.composition import GATES  # noqa: E402

# By gate, by version: the rules that it asks, each with its version.
Pinned = dict[str, dict[str, list[str]]]


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


def render(document: Any | None = None) -> str:
    return json.dumps(document or catalogue_document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def gates_pinned() -> Pinned:
    """Return what each version of each gate asked that was ever pinned."""
    pinned: Pinned = json.loads(GATES_PATH.read_text())
    return pinned


def gates_now() -> dict[str, tuple[str, list[str]]]:
    """Return by gate its version and what it asks."""
    return {
        name: (str(gate.version), [f"{rule.name} {rule.version}" for rule in gate.rules])
        for name, gate in GATES.items()
    }


def gates_told_otherwise() -> list[str]:
    """Return the gates that ask other rules than were pinned under their version."""
    pinned = gates_pinned()
    return [name for name, (version, asks) in gates_now().items() if pinned.get(name, {}).get(version, asks) != asks]


def gates_with_now() -> Pinned:
    """Return what is pinned, with the version of today of each gate."""
    pinned = gates_pinned()
    return {name: pinned.get(name, {}) | {version: asks} for name, (version, asks) in gates_now().items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Compare the catalogue and the gates with their golden files, or write those anew."
    )
    parser.add_argument("--write", action="store_true", help="write tests/golden/catalogue.json and gates.json")
    for name in (otherwise := gates_told_otherwise()):
        print(f"the gate {name} asks other rules under the same version: raise it in projections/gates/composition.py")
    if parser.parse_args().write:
        PATH.write_text(render())
        if not otherwise:
            GATES_PATH.write_text(render(gates_with_now()))
        return 1 if otherwise else 0
    pinned, found = json.loads(PATH.read_text()), json.loads(render())
    different = sorted(name for name in pinned.keys() | found.keys() if pinned.get(name) != found.get(name))
    for name in different:
        print(f"{name} is not as it was pinned")
    return 1 if different or otherwise else 0


if __name__ == "__main__":
    sys.exit(main())
