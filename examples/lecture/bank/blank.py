"""A derivation of the bank without its answers, to be filled in.

python examples/lecture/bank/blank.py 15_softmax > mine.toml
diffrt verify mine.toml
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent


def blank(name):
    """The text of a derivation with nothing on its right sides. name: of its file, with or without .toml."""
    text = (HERE / f"{name.removesuffix('.toml')}.toml").read_text(encoding="utf-8")
    given, claims = re.split(r"(?=^\[(?:partials|paths|totals)\])", text, maxsplit=1, flags=re.MULTILINE)
    given = given.replace("# Right, line by line.", "# Fill in the right sides, then: diffrt verify FILE")
    return given + re.sub(r'^(".*?" = )".*"$', r'\1""', claims, flags=re.MULTILINE)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (HERE / f"{sys.argv[1].removesuffix('.toml')}.toml").is_file():
        sys.exit(f"needed: the name of one derivation of {HERE}, such as 15_softmax")
    print(blank(sys.argv[1]), end="")
