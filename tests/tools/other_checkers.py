"""The verifier's checks, run by others than this interpreter: by Node, and by a browser. Many cases go over at once.

A case names a check and holds what it is asked, bytes as base64, numbers in decimal; the answer is None where it holds, else what is
said. An answer that begins with `!` is an error of the verifier itself.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from browsers import launched
from verifier import joined

NODE: Final = shutil.which("node")
Case = dict[str, Any]
Checker = Callable[[Sequence[Case]], list[str | None]]

_DRIVER: Final = r"""
const raw = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const keys = async (lines) => Promise.all((lines ?? []).map(parseVerifierKey));
const CHECKS = {
  inclusion: ({ index, size, leaf, proof, root }) =>
    checkInclusion({ index: BigInt(index), size: BigInt(size), leaf: raw(leaf), proof: proof.map(raw), root: raw(root) }),
  consistency: ({ old_size, new_size, old_root, new_root, proof }) => {
    const [oldSize, newSize] = [BigInt(old_size), BigInt(new_size)];
    return checkConsistency({ oldSize, newSize, oldRoot: raw(old_root), newRoot: raw(new_root), proof: proof.map(raw) });
  },
  key: (of) => parseVerifierKey(of.key),
  note: async (of) => checkNote(parseNote(raw(of.data)), await keys(of.keys)),
  checkpoint: async (of) => checkCheckpoint(parseNote(raw(of.data)), await keys(of.keys)),
  cosigned: async (of) => checkCosigned(parseNote(raw(of.data)), await keys(of.keys), of.at_least),
  proof: async (of) => checkProof(parseProof(raw(of.data)), await leafHash(raw(of.entry)), await keys(of.keys)),
  dossier: async (of) => checkDossier(parseJson(textOf(raw(of.data), "a dossier")), await keys(of.keys)),
};
globalThis.tried = async (cases) => {
  await checkBrowser();
  const answers = [];
  for (const of of cases) {
    try {
      await CHECKS[of.check](of);
      answers.push(null);
    } catch (error) {
      answers.push(error instanceof VerificationError ? error.message : `!${error}`);
    }
  }
  return answers;
};
"""


def by_node(cases: Sequence[Case]) -> list[str | None]:
    """Return what Node answers to each case."""
    assert NODE is not None
    ask = 'import { readFileSync } from "node:fs";\n'
    answer = 'console.log(JSON.stringify(await tried(JSON.parse(readFileSync(0, "utf-8")))));\n'
    program = ["--no-warnings", "--input-type=module", "--eval", ask + joined("judging") + _DRIVER + answer]
    run = subprocess.run([NODE, *program], input=json.dumps(cases), capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    return list(json.loads(run.stdout))


@contextmanager
def by_browser(directory: Path) -> Iterator[Checker]:
    """Give what a browser answers to cases, on a page from a disk."""
    page_file = directory / "empty.html"
    page_file.write_text("<!doctype html><title>empty</title>")
    with launched() as browser:
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.add_script_tag(content=joined("judging") + _DRIVER, type="module")
        page.wait_for_function("typeof tried === 'function'")
        yield lambda cases: list(page.evaluate("(cases) => tried(cases)", list(cases)))
