"""Alters the tables of a TOML file, and writes them as text."""

import copy
import json
import re

WORDS = (
    "x", "a", "y", "x[i]", "x[0]", "sum", "softmax", "relu", "abs", "max", "diag", "eye(3)", "zeros(1e999)",
    "ones(1000,1000,1000)", "^1e12", "^-1", "10^400", "1" * 5000, "0.0", "1e308", "1e999", "-", "+", "*", "/", "(", ")",
    "[", "]", "i", ",", ">", ".", "ln", "sqrt", "(" * 2000, "exp(" * 40, "lamp.position", "ball.*", "camera.up.y", "*",
    "target.png", "scene.toml", "/dev/zero", "..", "\0", "\x1b[2J\x07", "\n", "\u202e", "é", "𝔵", "srgb", "BFGS",
)  # fmt: skip
"""Parts of formulas, names and paths, and what does not belong into any."""


class Raw(str):
    """Text of a value that is written as it is."""


VALUES = (
    0, 1, -1, 2, 1.0, 0.5, -0.0, 5e-324, 1e-300, 1e308, -1e308, 1e12, 1e9, float("nan"), float("inf"), float("-inf"),
    2**31, 2**63, 10**400, -(10**400), Raw("0x" + "f" * 6000), Raw("9" * 5000), Raw("1e" + "9" * 400), True, False,
    "", "a", "x" * 5000, "\x1b[31m\n", [], {}, [True], [0], [40, 40], [100, 100, 100], [-1e308, 1e308], [5e-324],
    [0.0, 0.0, 0.0], [1e9, 1e9, -1e9], [[1, 2], [3]], [1.0] * 5000, ["a"] * 300, {"a": 1}, {"a": {"b": [{"c": 1}]}},
    Raw("[" * 60 + "]" * 60), Raw("[" * 2000 + "]" * 2000), Raw("1979-05-27T07:32:00Z"), Raw("07:32:00"),
    {"type": "lambert", "albedo": 0.5}, {"type": "mirror", "reflectance": [1, 1, 1]}, {"type": "sphere"}, {"start": 1},
    {"shape": [3], "domain": [0.1, 2.0]}, {"lower": 0, "upper": 0}, "sum(x)", "x^2",
)  # fmt: skip


def alter(rng, tree):
    """A copy of the tables with a few changes: half of the copies are near enough to what is right to be taken."""
    tree = copy.deepcopy(tree)
    mild = rng.random() < 0.5
    types = int | float if rng.random() < 0.5 else int | float | str
    for _ in range(rng.choice((1, 1, 2, 3, 6) if mild else (1, 1, 1, 2, 2, 3))):
        places = list(_places(tree))
        if mild:
            places = [(t, key) for t, key in places if isinstance(t[key], types)]
        if not places:
            break
        table, key = rng.choice(places)
        if mild:
            table[key] = _mild(rng, table[key], [t[k] for t, k in places if type(t[k]) is type(table[key])])
        else:
            _alter_at(rng, table, key, places)
    return tree


def _mild(rng, value, others):
    """A value of the same type: another one of the tree, or in a text a word or a sign of another one."""
    if not isinstance(value, str) or rng.random() < 0.2:
        return rng.choice(others) if rng.random() < 0.4 else _nearby(rng, value)
    parts = re.findall(r"\w+|\s+|.", value) or [""]
    at = rng.randrange(len(parts))
    known = [part for other in others for part in re.findall(r"\w+|\s+|.", other)] + list("0123+-*/^")
    like = [part for part in known if part[:1].isalnum() == parts[at][:1].isalnum()]
    return "".join([*parts[:at], rng.choice(like or known), *parts[at + 1 :]])


def _places(node):
    """Every table or list in a tree, with a key of it."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _alter_at(rng, table, key, places):
    value = table[key]
    kind = rng.choice(("value", "value", "other", "nearby", "nearby", "remove", "add", "rename", "swap", "nest"))
    if kind == "value":
        table[key] = copy.deepcopy(rng.choice(VALUES))
    elif kind == "other":
        other, place = rng.choice(places)
        table[key] = copy.deepcopy(other[place])
    elif kind == "nearby":
        table[key] = _nearby(rng, value)
    elif kind == "remove":
        del table[key]
    elif kind == "nest":
        for _ in range(rng.choice((1, 1, 2, 30))):
            value = [value] if rng.random() < 0.7 else {"a": value}
        table[key] = value
    elif isinstance(table, list):
        table.insert(key, copy.deepcopy(rng.choice((value, *VALUES))))
    elif kind == "add":
        table[_word(rng, key)] = copy.deepcopy(rng.choice((value, *VALUES)))
    elif kind == "rename":
        table[_word(rng, key)] = table.pop(key)
    else:
        other = rng.choice(list(table))
        table[key], table[other] = table[other], value


def _nearby(rng, value):
    """A value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice((-value, -1, 1, 2, 10, 1000))
    if isinstance(value, float):
        near = (-value, value * 1e-9, value * 1e9, value + 1e-9, value / 3, 0.0, 1.0, rng.uniform(-3, 3), 5e-324)
        return rng.choice((*near, float(round(value)) if abs(value) < 1e300 else value))
    if isinstance(value, str):
        return _word(rng, value)
    if isinstance(value, list) and value:
        return rng.choice((value[1:], value * 2, value[::-1], value * 40, [_nearby(rng, value[0]), *value[1:]]))
    return copy.deepcopy(value)


def _word(rng, text):
    """A text with one part of it put elsewhere, left out, or in the place of another."""
    parts = re.findall(r"\w+|\s+|.", text, re.S) or [""]
    at = rng.randrange(len(parts))
    part = rng.choice((*WORDS, rng.choice(parts)))
    parts[at : at + rng.choice((0, 1, 1))] = rng.choice(([part], [part], [], [part, parts[at]]))
    return "".join(parts)


def to_toml(tree):
    """Tables as text, those within others in braces."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in tree.items())


def _value(value):
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)} = {_value(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value) if value >= 10**100 else str(value)
    return repr(value) if isinstance(value, float) else _text(value)


def _text(text):
    return json.dumps(text, ensure_ascii=False)
