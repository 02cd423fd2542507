"""The pages that are made from the classes say what those say now, and every kind has a picture of itself."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import diffrt
from diffrt.kinds import GROUPS

ROOT = Path(__file__).parents[1]


def made_by(path):
    """A script of the documents, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = made_by(ROOT / "docs" / "make_pages.py")
KINDS = [(group, kind) for group, kinds in GROUPS.items() for kind in kinds]


@pytest.mark.parametrize("name", PAGES.pages())
def test_a_page_is_what_the_classes_and_programs_say_now(name):
    assert (ROOT / "docs" / name).read_text() == PAGES.pages()[name], "python docs/make_pages.py makes it anew"


@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_a_kind_has_a_picture_of_its_scene(group, kind):
    scene = diffrt.parse_scene(PAGES.scene_text(group, kind))
    assert f'type = "{kind}"' in PAGES.piece_text(group, kind)
    picture = np.asarray(diffrt.read_image(PAGES.picture_path(group, kind)))
    # The mean of 4x4 pixels of the picture, against a smaller one that needs no compiling.
    height, width = (side // 4 for side in picture.shape[:2])
    smaller = picture.reshape(height, 4, width, 4, 3).mean((1, 3))
    points = {"engine": "numpy", "edges": "ignore", "cells": 6}
    rendered = np.clip(diffrt.render(scene.replace({}, width=width, height=height), **points), 0.0, 1.0)
    assert np.abs(rendered - smaller).mean() < 0.002, "python docs/make_pages.py makes it anew"


def test_what_the_page_lists_is_what_a_scene_file_may_hold():
    """Each field of each kind has its row, with its default and its unit."""
    text = (ROOT / "docs" / "scene.md").read_text()
    for group, kinds in GROUPS.items():
        section = text.split(f"\n## {group}\n")[1].split("\n## ")[0]
        for type_, kind in kinds.items():
            entry = section.split(f"\n### {type_}\n")[1].split("\n### ")[0]
            for name, field in kind.fields.items():
                (row,) = [line for line in entry.splitlines() if line.startswith(f"| `{name}` |")]
                cells = [cell.strip() for cell in row.strip("|").replace("\\|", "/").split(" | ")]
                assert cells[1] and cells[2], row
                assert (cells[4] == "") == (field.default is None), row
