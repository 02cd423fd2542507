"""The cache of machine code: what is loaded runs as the user, so only what the user's own runs wrote is loaded."""

import os
import shutil
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

import diffrt
from diffrt.compiler import code_cache, compiled, native
from diffrt.compiler.code_cache import CodeNotKept
from diffrt.files import fresh_file, write_whole

TEXT = (
    f"define void @{native.NAME}(ptr %a, ptr %b, ptr %c, ptr %d, ptr %e, i64 %f, i64 %g, i64 %h) {{\n  ret void\n}}\n"
)
OTHER = TEXT.replace("  ret void", "  %i = add i64 %f, 1\n  store i64 %i, ptr %a\n  ret void")

needs_owners = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def kept(folder):
    """The files of code, without the key."""
    return [path for path in folder.iterdir() if path.name != "key"]


def compilations(monkeypatch) -> list[str]:
    done = []
    compile_text = native.compile_text
    monkeypatch.setattr(
        native, "compile_text", lambda text, optimisation: done.append(text) or compile_text(text, optimisation)
    )
    return done


def another_process():
    """What is remembered of the folder is forgotten."""
    code_cache._place.cache_clear()
    code_cache._warn.cache_clear()


def test_code_is_kept_for_the_next_time(folder, monkeypatch):
    done = compilations(monkeypatch)
    native.Native(native.compiled(TEXT, 0))
    another_process()
    native.Native(native.compiled(TEXT, 0))
    assert len(done) == 1 and len(kept(folder)) == 1
    native.Native(native.compiled(TEXT, 2))
    assert len(done) == 2


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:60] + b"x" + data[61:]]
)
def test_a_damaged_file_is_compiled_again(folder, monkeypatch, damage):
    native.Native(native.compiled(TEXT, 0))
    (path,) = kept(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    done = compilations(monkeypatch)
    native.Native(native.compiled(TEXT, 0))
    assert len(done) == 1 and path.read_bytes() == whole


def test_the_cache_is_bounded_and_the_oldest_go_first(folder, monkeypatch):
    monkeypatch.setattr(code_cache, "LIMIT", 3000)
    folder.mkdir(mode=0o700)
    for number in range(5):
        (folder / f"{number:064x}").write_bytes(b"x" * 900)
        os.utime(folder / f"{number:064x}", (number, number))
    (folder / "letter.txt").write_bytes(b"x" * 900)
    os.utime(folder / "letter.txt", (0, 0))
    native.Native(native.compiled(TEXT, 0))
    names = sorted(p.name for p in folder.iterdir())
    assert f"{0:064x}" not in names and f"{4:064x}" in names
    assert "letter.txt" in names  # what is not of the cache is left alone
    assert sum(p.stat().st_size for p in kept(folder)) <= 3900


def test_two_processes_share_the_cache(tmp_path):
    code = "import diffrt; s = diffrt.load_scene('scenes/tiny.toml'); print(diffrt.render(s).tobytes().hex())"
    home = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "HOME": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=home) for _ in range(2)]
    first, second = (p.communicate()[0] for p in both)
    assert first and first == second


# Who wrote it.
def test_a_valid_file_under_another_name_is_not_loaded(folder, monkeypatch):
    native.compiled(TEXT, 0)
    (path,) = kept(folder)
    native.compiled(OTHER, 0)
    (other,) = (p for p in kept(folder) if p != path)
    shutil.copy(other, path)
    done = compilations(monkeypatch)
    native.compiled(TEXT, 0)
    assert done == [TEXT]


def test_a_file_that_another_cache_wrote_is_not_loaded(folder, monkeypatch, tmp_path):
    native.compiled(TEXT, 0)
    (path,) = kept(folder)
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "mine")
    native.compiled(OTHER, 0)
    shutil.copy(path, tmp_path / "mine")
    done = compilations(monkeypatch)
    native.compiled(TEXT, 0)
    assert done == [TEXT]


def test_the_key_is_a_secret_of_the_user(folder):
    native.compiled(TEXT, 0)
    key = folder / "key"
    assert len(key.read_bytes()) == 32
    if hasattr(os, "geteuid"):
        assert key.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
        assert kept(folder)[0].stat().st_mode & 0o777 == 0o600


@needs_owners
@pytest.mark.parametrize("spoil", [
    lambda key: key.chmod(0o644), lambda key: key.write_bytes(b"short"), lambda key: key.write_bytes(b""),
    lambda key: key.unlink(), lambda key: (key.rename(key.parent.parent / "k"), key.symlink_to("../k")),
])  # fmt: skip
def test_a_key_that_others_may_know_is_replaced_and_what_it_signed_is_compiled_again(folder, monkeypatch, spoil):
    native.compiled(TEXT, 0)
    spoil(folder / "key")
    another_process()
    done = compilations(monkeypatch)
    native.compiled(TEXT, 0)
    assert done == [TEXT]
    assert len((folder / "key").read_bytes()) == 32
    assert (folder / "key").stat().st_mode & 0o777 == 0o600 and not (folder / "key").is_symlink()
    another_process()
    native.compiled(TEXT, 0)
    assert done == [TEXT]


@needs_owners
def test_a_file_that_others_may_write_or_that_is_a_link_is_not_loaded(folder, monkeypatch, tmp_path):
    native.compiled(TEXT, 0)
    (path,) = kept(folder)
    done = compilations(monkeypatch)
    path.chmod(0o622)
    native.compiled(TEXT, 0)
    assert len(done) == 1 and path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    native.compiled(TEXT, 0)
    assert len(done) == 2 and not path.is_symlink()
    path.unlink()
    os.mkfifo(path)
    native.compiled(TEXT, 0)
    assert len(done) == 3 and path.is_file()


# Where it lies.
def compiles_in_memory(monkeypatch, folder, reason):
    """Code is compiled each time, and one line says why."""
    done = compilations(monkeypatch)
    before = sorted(os.listdir(folder)) if os.path.isdir(folder) else None
    with pytest.warns(CodeNotKept, match=reason) as told:
        [native.compiled(TEXT, 0) for _ in range(2)]
    assert len(done) == 2 and len(told) == 1 and len(str(told[0].message).splitlines()) == 1
    assert (sorted(os.listdir(folder)) if os.path.isdir(folder) else None) == before


@needs_owners
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_may_write_is_not_used(folder, monkeypatch, mode):
    native.compiled(TEXT, 0)
    folder.chmod(mode)
    another_process()
    compiles_in_memory(monkeypatch, folder, "others may write")


@needs_owners
def test_a_folder_in_one_that_others_may_write_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "shared" / "mine").mkdir(parents=True, mode=0o700)
    (tmp_path / "shared").chmod(0o777)
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "shared" / "mine" / "cache")
    compiles_in_memory(monkeypatch, tmp_path / "shared" / "mine", f"others may write {tmp_path / 'shared'};")


@needs_owners
def test_an_own_folder_where_others_cannot_rename_it_is_used(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "tmp" / "x" / "cache")
    native.compiled(TEXT, 0)
    assert len(kept(tmp_path / "tmp" / "x" / "cache")) == 1


@needs_owners
@pytest.mark.parametrize("linked", ["cache", "cache/diffrt"])
def test_a_folder_that_is_a_link_is_not_used(tmp_path, monkeypatch, linked):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / linked).parent.mkdir(exist_ok=True, mode=0o700)
    (tmp_path / linked).symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "cache" / "diffrt")
    compiles_in_memory(monkeypatch, tmp_path / "elsewhere", "is a link")


@needs_owners
def test_a_folder_of_another_user_is_not_used(folder, monkeypatch):
    native.compiled(TEXT, 0)
    another_process()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    compiles_in_memory(monkeypatch, folder, "belongs to another user")


def test_a_file_where_the_folder_should_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "file" / "cache")
    compiles_in_memory(monkeypatch, tmp_path, "file")


def test_a_disk_that_refuses_is_told_once(folder, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    native.compiled(OTHER, 0)
    monkeypatch.setattr(os, "replace", refuse)
    another_process()
    compiles_in_memory(monkeypatch, folder, "Read-only file system")


@needs_owners
def test_a_home_that_is_reached_by_a_link_of_the_administrator_is_used(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(code_cache, "cache_folder", lambda: tmp_path / "home" / ".cache" / "diffrt")
    native.compiled(TEXT, 0)
    assert len(kept(tmp_path / "disk" / ".cache" / "diffrt")) == 1


NOBODY = """
import os, pwd, sys
def nobody(*_): raise KeyError
pwd.getpwuid = nobody
from diffrt.commands import main
sys.argv = ["diffrt", *sys.argv[1:]]
main()
"""


@needs_owners
@pytest.mark.parametrize("home", [None, "here"])
def test_without_a_home_and_an_entry_of_the_user_everything_runs(tmp_path, home):
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    if home:
        environment["HOME"] = home

    def run(*arguments):
        return subprocess.run([sys.executable, "-c", NOBODY, *arguments], cwd=tmp_path, env=environment,
                              capture_output=True, text=True)  # fmt: skip

    done = run("info")
    assert done.returncode == 0 and not done.stderr and "are not kept: no folder for them is known" in done.stdout
    scene = os.path.abspath("scenes/tiny.toml")
    done = run("render", scene, "-o", "a.png")
    first, *compiling = done.stderr.splitlines()
    assert done.returncode == 0 and "XDG_CACHE_HOME" in first
    # Whether it says that it compiles depends on how long that takes; that it keeps the code would not be true.
    assert compiling in ([], ["compiling for kinds of shapes and lights that are new here"])
    assert os.listdir(tmp_path) == ["a.png"]


# What is left of a process that was killed.
KILLED = """
import os, pathlib, signal, sys
from diffrt.files import fresh_file
with fresh_file(pathlib.Path(sys.argv[1]), b"half"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_writes_is_not(folder, tmp_path):
    native.compiled(TEXT, 0)
    for place in (folder, tmp_path):
        subprocess.run([sys.executable, "-c", KILLED, place])
        assert len(list(place.glob(".diffrt-*.tmp"))) == 1
    with fresh_file(folder, b"new") as fresh:
        native.compiled(OTHER, 0)
        assert fresh.read_bytes() == b"new"
    assert not list(folder.glob(".diffrt-*.tmp")) and len(kept(folder)) == 2
    write_whole(tmp_path / "a.txt", b"whole")
    assert not list(tmp_path.glob(".diffrt-*.tmp"))


def test_a_kept_program_makes_no_noise(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        native.compiled(TEXT, 0)
        native.compiled(TEXT, 0)


def test_programs_of_the_package_are_not_recorded_again(folder, monkeypatch):
    done = []
    of, text = compiled.Recording.of, compiled.Recording.text
    monkeypatch.setattr(compiled.Recording, "of", lambda *given: done.append("recorded") or of(*given))
    monkeypatch.setattr(
        compiled.Recording, "text", lambda made, kinds, options: done.append(options) or text(made, kinds, options)
    )

    # Where zero has to win in the chain rule there is another program of the same recording.
    def again(job: compiled.Job) -> None:
        if "meet" in str(compiled._name(job.program._function)):
            job.run(0, 0, job.program.exact)

    monkeypatch.setattr(compiled.Job, "again", again)
    scene = diffrt.load_scene("scenes/tiny.toml")
    compiled._program.cache_clear()
    first = diffrt.render(scene)
    exact = [options for options in done if options != "recorded" and options.exact]
    assert exact
    assert done.count("recorded") == len(done) - done.count("recorded") - len(exact)
    done.clear()
    compiled._program.cache_clear()
    assert np.array_equal(diffrt.render(scene), first) and not done
