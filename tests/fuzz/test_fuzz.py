"""Altered files of every format, and what the fuzzer itself must notice."""

import warnings

import numpy as np
import pytest

from diffrt.errors import InputError

from . import runner

NAMES = ("scene", "fit", "derivation", "png8", "png16", "jpeg", "tiff", "webp", "tga", "npy", "exr", "journal", "cache")


@pytest.fixture(scope="module")
def fuzzers():
    with runner.own_cache():
        yield {name: runner.Fuzzer(1, [name]) for name in NAMES}


def found(fuzzer, count):
    if not fuzzer.formats:
        pytest.skip("needs a package that is not there")
    return [f"{f.number}: {f.what}" for f in map(fuzzer.run, range(count)) if f]


@pytest.mark.parametrize("name", NAMES)
def test_an_altered_file_is_read_or_refused_in_a_few_words(fuzzers, name):
    assert found(fuzzers[name], {"scene": 10, "fit": 30, "derivation": 20}.get(name, 200)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_altered_files_are_read_or_refused_in_a_few_words(fuzzers, name):
    assert found(fuzzers[name], {"scene": 30, "fit": 60, "derivation": 40}.get(name, 300)) == []


def test_some_altered_files_are_still_right_and_most_are_not(fuzzers):
    """Otherwise only the first check of a reader would ever be seen."""
    for name in ("fit", "png8", "png16", "jpeg", "tiff", "webp", "tga", "npy"):
        fuzzer, taken = fuzzers[name], []
        for number in range(14):
            format, file, data = fuzzer.input(number)
            try:
                format.run(data, file, fuzzer.folder)
            except InputError:
                continue
            taken.append(number)
        assert 1 <= len(taken) <= 12, name


def refuse(line):
    raise InputError(line)


def refuse_raw(line):
    """As if InputError did not see to its lines."""
    fault = InputError(line)
    fault.problems = (line,)
    raise fault


def warn():
    warnings.warn("invalid value", RuntimeWarning, stacklevel=1)


def keep_busy():
    while True:
        try:
            while True:
                pass
        except Exception:  # as a decoder's wrapper would
            pass


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: refuse_raw("a\x1b[2J"), "control characters"),
        (lambda: refuse_raw("a" * 500), "a long message"),
        (lambda: refuse_raw(""), "an empty message"),
        (lambda: refuse_raw("cannot read <_io.BytesIO object at 0x7f>"), "words of a library"),
        (lambda: "told \x07", "control characters"),
        (warn, "RuntimeWarning"),
        (lambda: print("a word") and "", "prints b'a word"),
        (lambda: np.ones(1040 << 17).sum() and "", "takes 1"),
        (keep_busy, "does not end"),
    ],
)
def test_the_fuzzer_notices(monkeypatch, action, what):
    monkeypatch.setattr(runner, "SECONDS", 0.2)
    assert what in runner.examine(action)


def test_the_fuzzer_says_nothing_of_an_answer_or_of_a_clear_refusal():
    assert runner.examine(lambda: "12 right") == ""
    assert runner.examine(lambda: refuse("x: found 3, allowed: 4")) == ""


def test_an_input_is_known_by_its_number_and_the_seed():
    with runner.own_cache():
        first, second, other = (runner.Fuzzer(seed, ["scene", "png8"]) for seed in (5, 5, 6))
    assert [first.input(n)[2] for n in range(20)] == [second.input(n)[2] for n in reversed(range(20))][::-1]
    assert [first.input(n)[2] for n in range(20)] != [other.input(n)[2] for n in range(20)]
