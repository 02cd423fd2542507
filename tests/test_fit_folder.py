"""The folder of a fit: one at a time, nothing lost, nothing left, and nothing believed that was changed."""

import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffrt
from diffrt.errors import InputError
from diffrt.files import locked, write_whole
from diffrt.fitting import make_problem, solve
from diffrt.fitting.journal import open_journal

ROOT = Path(__file__).parents[1]
SCENE = diffrt.load_scene(ROOT / "scenes/tiny.toml")
TARGET = np.asarray(diffrt.render(SCENE))
START = {"lamp.position": {"start": [0.0, 3.0, 1.0]}}
PROBLEM = make_problem(SCENE, TARGET, START)
BUSY = "another fit is running in it; wait until it ends, or give another folder"

HOLDER = """
import sys, time
from diffrt.files import locked
with locked(sys.argv[1], "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    folder = tmp_path / "out"
    held = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert held.stdout.readline().strip() == b"held"
    yield folder, held
    held.kill()
    held.wait()


def test_a_second_fit_into_one_folder_is_refused_until_the_first_process_is_dead(holder):
    folder, held = holder
    with pytest.raises(InputError) as fault:
        diffrt.fit(SCENE, TARGET, START, folder=folder)
    assert fault.value.problems == (f"{folder}: {BUSY}",)
    assert os.listdir(folder) == [".diffrt.lock"], "the second wrote nothing"
    held.kill()
    held.wait()
    diffrt.fit(SCENE, TARGET, START, folder=folder)
    assert "fit.json" in os.listdir(folder) and ".diffrt.lock" not in os.listdir(folder)


def test_two_fits_in_one_process_do_not_share_a_folder_either(tmp_path):
    seen = []

    def second(step):
        if not seen:
            with pytest.raises(InputError, match="another fit is running in it"):
                diffrt.fit(SCENE, 0.5 * TARGET, START, folder=tmp_path)
            seen.append(step)

    diffrt.fit(SCENE, TARGET, START, folder=tmp_path, progress=second)
    assert seen and not {".diffrt.lock", "state.npz"} & set(os.listdir(tmp_path))


def test_the_lock_of_a_removed_file_is_no_lock(tmp_path):
    # The first holder removes the file when it ends; whoever had opened it before must not think that it holds it.
    for _ in range(3):
        with (
            locked(tmp_path / "a/b", "busy"),
            pytest.raises(InputError, match="busy"),
            locked(tmp_path / "a/b", "busy"),
        ):
            pass
    assert not (tmp_path / "a").exists(), "folders that were made for nothing are removed"


def test_what_was_there_stays_when_a_fit_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="no influence"):
        diffrt.fit(SCENE, TARGET, {"lamp.position": {"start": [0.0, -30.0, 0.0]}}, folder=tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]


WRITER = """
import os, signal, sys
from diffrt import files
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.write_whole(sys.argv[1], b"half a file")
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_temporary_file_that_kill_9_left_is_removed_by_the_next_run(tmp_path):
    (tmp_path / "whole").write_bytes(b"old")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITER, tmp_path / "whole"], env=environment, cwd=ROOT)
    assert len(os.listdir(tmp_path)) == 2, "the second run removed what the first one had left, and left its own"
    assert (tmp_path / "whole").read_bytes() == b"old"
    write_whole(tmp_path / "other", b"new")
    assert sorted(os.listdir(tmp_path)) == ["other", "whole"]


def test_a_temporary_file_that_is_being_written_and_files_of_other_names_stay(tmp_path):
    import diffrt.files as files

    writing = tmp_path / ".diffrt-0123456789abcdef.tmp"
    with open(writing, "xb") as file:
        files._lock(file.fileno())
        file.write(b"the first half")
        file.flush()
        others = [".diffrt-notes.tmp", ".diffrt-0123456789abcdef.tmp.bak", "a.tmp", ".diffrt-0123456789ABCDEF.tmp"]
        for name in others:
            (tmp_path / name).write_bytes(b"mine")
        write_whole(tmp_path / "new", b"new")
        assert set(os.listdir(tmp_path)) == {writing.name, "new", *others}
    write_whole(tmp_path / "new", b"new")
    assert set(os.listdir(tmp_path)) == {"new", *others}


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The journal of a fit that was stopped after three evaluations."""
    folder, seen = tmp_path_factory.mktemp("state"), []
    solve(PROBLEM, seen.append, folder=folder, stop=lambda: len(seen) == 3)
    return folder, (folder / "state.npz").read_bytes()


def refused(state, data):
    folder, _ = state
    (folder / "state.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"damaged|is of another fit|was written by") as fault:
        open_journal(PROBLEM, folder, resume=True)
    assert len(fault.value.problems) == 1
    assert (folder / "state.npz").read_bytes() == data, "it was left as it is"


def packed(columns, save=np.savez):
    file = io.BytesIO()
    save(file, **columns)
    return file.getvalue()


CHANGES = {
    "another number": lambda v: np.where(np.arange(v.size).reshape(v.shape) == v.size - 1, v + 1e-9, v),
    "nan": lambda v: np.full(v.shape, np.nan),
    "infinite": lambda v: np.full(v.shape, np.inf),
    "another type": lambda v: v.astype("f4"),
    "objects": lambda v: v.astype(object),
    "complex": lambda v: v.astype(complex),
    "words": lambda v: v.astype("U9"),
    "a row less": lambda v: v[:-1],
    "an axis more": lambda v: v[..., None],
    "one number": lambda v: np.array(3.0),
    "nothing": lambda v: np.zeros((0,)),
}


@pytest.mark.parametrize("column", ["level", "u", "answer", "seconds"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_column_is_refused(state, column, change):
    columns = dict(np.load(io.BytesIO(state[1])))
    refused(state, packed({**columns, column: CHANGES[change](columns[column])}))


def test_a_column_too_few_and_a_compressed_file_are_refused(state):
    columns = dict(np.load(io.BytesIO(state[1])))
    for name in columns:
        refused(state, packed({n: v for n, v in columns.items() if n != name}))
    refused(state, packed(columns, np.savez_compressed))


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (-1,), (10**30,), (2**62, 8)])
def test_a_shape_that_is_a_lie_takes_no_memory(state, shape):
    import tracemalloc

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in np.load(io.BytesIO(state[1])).items():
            member = io.BytesIO()
            descr = np.lib.format.dtype_to_descr(values.dtype)
            lie = shape if name == "answer" else values.shape
            np.lib.format.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": lie})
            archive.writestr(f"{name}.npy", member.getvalue() + values.tobytes())
    tracemalloc.start()
    refused(state, file.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


@settings(max_examples=60)
@given(st.data())
def test_any_bytes_changed_in_a_journal_are_noticed(state, data):
    folder, good = state
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != good[at]))
    (folder / "state.npz").write_bytes(changed)
    (folder / "good").mkdir(exist_ok=True)
    (folder / "good/state.npz").write_bytes(good)
    true = open_journal(PROBLEM, folder / "good", resume=True)
    try:
        found = open_journal(PROBLEM, folder, resume=True)
    except InputError:
        return
    # A byte that means nothing, such as a time in the archive's list of files.
    for a, b in zip(found.entries, true.entries, strict=True):
        assert (a.level, a.seconds) == (b.level, b.seconds)
        assert np.array_equal(a.u, b.u) and np.array_equal(a.answer, b.answer)


EXTREMES = {
    "levels": [5e-324, 1e-300, 0.0, 1e5, float("nan")],
    "scale": [5e-324, 1e-12, 1e12, float("inf"), 10**400],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in EXTREMES.items() for v in values])
def test_a_setting_beyond_what_can_be_computed_is_refused(key, value):
    with pytest.raises(InputError, match=f"{key}: found"):
        make_problem(SCENE, TARGET, START, **{key: [value] if key == "levels" else value})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": [3.0] * 5000}, "levels: found 5000 blurs, allowed: at most 32"),
        ({"starts": 65536}, "starts: found 65536, allowed: a whole number from 1 to 4096"),
        ({"free": [f"lamp.*{'*' * i}" for i in range(5000)]}, "free: found 5000 names, allowed: at most 256"),
        ({"ties": {f"a{i}": "lamp.position" for i in range(5000)}}, "ties: found 5000 names, allowed: at most 256"),
        ({"target": {f"v{i}": {"target": TARGET} for i in range(5000)}}, "views: found 5000, allowed: at most 4096"),
        ({"mask": np.ones((5000, 5000))}, "mask: found 5000 x 5000 pixels"),
        ({"free": {"lamp.position": {"upper": 1e300}}}, "lamp.position.upper: found 1e+300, allowed: a number or 3"),
        ({"free": ["lamp.position" * 100_000]}, "free: no parameter 'lamp.position"),
    ],
)
def test_sizes_without_end_are_refused_at_once(changes, words):
    begin = time.process_time()
    with pytest.raises(InputError) as fault:
        make_problem(**{"scene": SCENE, "target": TARGET, "free": ["lamp.position"], **changes})
    assert words in str(fault.value)
    assert time.process_time() - begin < 10.0, "the work was refused, not done"


@pytest.mark.filterwarnings("error")
def test_a_search_that_runs_away_gives_no_warning():
    dark = {"lamp.intensity": {"start": 1e-4, "positive": True}}  # so dark that nothing pulls: the first steps are huge
    target = np.load(ROOT / "examples/tiny/target.npy")
    found = diffrt.fit(SCENE, target, dark, method="CG", iterations=15, levels=())
    assert np.isfinite(found.loss) and np.isfinite(found.values).all()


@pytest.mark.filterwarnings("error")
def test_a_gradient_method_makes_no_more_evaluations_than_it_may(monkeypatch):
    monkeypatch.setattr("diffrt.fitting.search.TRIES", 1)
    found = diffrt.fit(SCENE, TARGET, START, method="Newton-CG", iterations=2, levels=())
    assert found.evaluations <= 3 and not found.converged and np.isfinite(found.loss)
    assert found.message == "ended after 1 evaluations for each of 2 iterations"


def test_a_running_fit_says_how_long_it_took_and_after_three_evaluations_how_long_it_takes(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "diffrt", "fit", "examples/tiny/fit.toml", "-o", tmp_path / "out"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not line.startswith("compiling for")]
    seconds = [float(line.rpartition("; ")[2].partition(" s")[0]) for line in lines]
    assert seconds and seconds == sorted(seconds)
    assert ["left" in line for line in lines] == [False] * 2 + [True] * (len(lines) - 2)
