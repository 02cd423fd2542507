"""Makes the pages that hold what stands elsewhere too: scene.md, the reference of scene files, from the classes of the
kinds, with a picture of each; the programs in extending.md; and the list of operations in api.md.

    python docs/make_pages.py

The picture of a kind is rendered from the few lines in kinds/GROUP/TYPE.toml, put on the stage of kinds/stage.toml: a
table of the stage is left out where those lines have a table of the same group, but the floor stays.
"""

import json
import re
from pathlib import Path

import diffrt
from diffrt import autograd
from diffrt.scene.reference import FieldEntry, GroupEntry, KindEntry, reference

DOCS = Path(__file__).parent

BEGINNING = """\
# Scene files

Everything that may stand in a scene file: every kind, every field, what it may hold, its unit, its default, and the
formula behind it. This page is made from the classes of the kinds by `docs/make_pages.py`; `diffrt schema sphere`
prints a part of it in a terminal.

A scene file is [TOML](https://toml.io): a camera, shapes with their materials, and lights. This is a whole one:

```toml
{stage}```

- **Names** such as `ball` and `lamp` are yours to choose: a letter or _, then letters, digits or _, and each only once
  among shapes and lights. Every number is a parameter with a path made of them: `ball.center.x`,
  `ball.material.albedo.r`, `lamp.intensity`, `camera.fov`, `background.zenith`.
- **Materials** stand in the table of their shape, as `material = {{ ... }}` or as a table `[shapes.ball.material]`.
- **Colours** are three numbers `[r, g, b]`, linear and not sRGB-encoded; one number means gray.
- **Lengths** are in scene units, angles in degrees. If a scene unit is a metre, light is in watts: W/sr, W/m^2 and
  W/(m^2 sr). A pixel of 1 is white.
- **Without a default** a field must be given. A name that is not on this page is an error, and so is a value that the
  column "allowed" does not have; all mistakes of a file are told at once.
- **In Python** each type is a class with the same fields: `type = "sphere"` is
  `diffrt.Sphere(center=..., radius=..., material=...)`.

Each kind below has its picture, and the lines that it was rendered from. They stand on the stage above: they take the
place of its tables of the same group, and the floor stays.
"""


def pages() -> dict[str, str]:
    """The text of each page that is made, by the name of its file."""
    return {"scene.md": scene_page(), "extending.md": with_programs((DOCS / "extending.md").read_text("utf-8")),
            "api.md": with_operations((DOCS / "api.md").read_text("utf-8"))}  # fmt: skip


def with_programs(text: str) -> str:
    """A page with each program as it is in the file that the line above it names: <!-- examples/plugin/dust.py -->."""

    def program(found: re.Match[str]) -> str:
        return f"{found[1]}```py\n{(DOCS.parent / found[2]).read_text(encoding='utf-8')}```\n"

    return re.sub(r"^(<!-- (\S+\.py) -->\n)```py\n.*?^```\n", program, text, flags=re.M | re.S)


def with_operations(text: str) -> str:
    """A page with the operations of the table between its two marks, and what each does."""
    rows = [f"| `{name}` | {about.replace('|', chr(92) + '|')} |" for name, about in _operations()]
    table = "\n".join(["| operation | what |", "|---|---|", *rows])
    return re.sub(r"(<!-- operations -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text,
                  flags=re.S)  # fmt: skip


def _operations() -> list[tuple[str, str]]:
    """The functions of `diffrt.autograd` that compute with numbers, with the first paragraph of what each says."""
    rooms = ("operations", "structure", "functional", "matrices", "contraction")
    functions = [(name, getattr(autograd, name)) for name in sorted(autograd.__all__)]
    return [
        (name, " ".join(function.__doc__.strip().split("\n\n")[0].split()))
        for name, function in functions
        if getattr(function, "__module__", "").removeprefix("diffrt.autograd.") in rooms
    ]


def scene_page() -> str:
    """The text of scene.md."""
    parts = [BEGINNING.format(stage=_stage())]
    groups = reference()
    links = [f"[{group.name}](#{group.name})" for group in groups]
    parts.append("On this page: " + ", ".join(links) + ".\n")
    for group in groups:
        parts.append(f"## {group.name}\n\n{_sentence(group.place)}\n")
        for kind in group.kinds:
            parts.append(_kind(group, kind))
        for file, words in _shared(group).items():
            parts.append(f"### What `{file}` holds\n\n{prose(words)}")
    return "\n".join(parts)


def scene_text(group: str, kind: str) -> str:
    """The scene of the picture of a kind, a whole scene file."""
    piece = piece_text(group, kind)
    taken = set(re.findall(r"^\[(\w+)", piece, re.M))
    tables = re.split(r"\n(?=\[)", _stage())
    stage = [table for table in tables if table.startswith("[shapes.floor]") or table[1:].split(".")[0].split("]")[0]
             not in taken]  # fmt: skip
    return "\n".join([piece, *stage])


def piece_text(group: str, kind: str) -> str:
    """The lines of a scene file that show a kind."""
    return (DOCS / "kinds" / group / f"{kind}.toml").read_text(encoding="utf-8")


def picture_path(group: str, kind: str) -> Path:
    """Where the picture of a kind is."""
    return DOCS / "images" / "kinds" / group / f"{kind}.png"


def prose(words: str) -> str:
    """The docstring of a module as Markdown: paragraphs, and formulas as they stand there."""
    paragraphs = []
    for paragraph in words.strip().split("\n\n"):
        if paragraph.startswith("    "):
            lines = "\n".join(line.removeprefix("    ") for line in paragraph.splitlines())
            paragraphs.append(f"```text\n{lines}\n```")
        else:
            paragraphs.append(re.sub(r"([*<](?=\w))", r"\\\1", paragraph))  # no emphasis and no tag is meant
    return "\n\n".join(paragraphs) + "\n"


def _stage() -> str:
    return (DOCS / "kinds" / "stage.toml").read_text(encoding="utf-8")


def _kind(group: GroupEntry, kind: KindEntry) -> str:
    if not kind.type:
        return _table(kind.fields)
    picture = picture_path(group.name, kind.type).relative_to(DOCS)
    rules = "".join(f"- Rule for `{rule.partition(': ')[0]}`: {rule.partition(': ')[2]}.\n" for rule in kind.rules)
    return (
        f"### {kind.type}\n\n{kind.words} In Python: `diffrt.{kind.class_name}`.\n\n"
        f"![{kind.type}]({picture.as_posix()})\n\n```toml\n{piece_text(group.name, kind.type)}```\n\n"
        f"{_table(kind.fields)}{rules and chr(10) + rules}\n{prose(kind.formulas)}"
    )


def _table(fields: tuple[FieldEntry, ...]) -> str:
    rows = ["| field | what it is | allowed | unit | default |", "|---|---|---|---|---|"]
    for each in fields:
        default = "" if each.required else "none" if each.default is None else f"`{json.dumps(each.default)}`"
        cells = (f"`{each.name}`", each.words, each.allowed, each.unit, default)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _shared(group: GroupEntry) -> dict[str, str]:
    """The docstrings of the modules that the formulas of a group's kinds refer to, by file."""
    named = {file for kind in group.kinds for file in re.findall(r"`(\w+)\.py`", kind.formulas)}
    found = {}
    for name in sorted(named):
        path = DOCS.parent / "diffrt" / "kinds" / group.name / f"{name}.py"
        if path.exists():
            found[path.relative_to(DOCS.parent).as_posix()] = path.read_text(encoding="utf-8").split('"""')[1]
    return found


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


def main() -> None:
    for group in reference():
        for kind in group.kinds:
            if kind.type:
                path = picture_path(group.name, kind.type)
                path.parent.mkdir(parents=True, exist_ok=True)
                diffrt.render(diffrt.parse_scene(scene_text(group.name, kind.type)), cells=2).save(path)
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
