"""Files: every fault is one line that says what to do, and writing is all or nothing."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

import diffrt
from diffrt.errors import InputError, did_you_mean
from diffrt.files import parse_toml, read_bytes, read_text, read_toml, write_whole

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything"
)


def complaint(fault: pytest.ExceptionInfo[InputError]) -> str:
    """The only line of the error."""
    (line,) = fault.value.problems
    assert str(fault.value) == line and "\n" not in line
    return line


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        read_bytes(tmp_path / "none.toml")
    assert complaint(fault) == f"{tmp_path / 'none.toml'}: no such file"


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        read_bytes(tmp_path)
    assert complaint(fault) == f"{tmp_path}: is a folder; a file is needed"


@needs_permissions
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.toml"
    path.write_text("a = 1")
    path.chmod(0)
    with pytest.raises(InputError) as fault:
        read_bytes(path)
    assert complaint(fault) == f"{path}: no permission to read it"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files here")
@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.toml").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe.png", tmp_path / "link.toml", "/dev/zero", "/dev/tty"):
        with pytest.raises(InputError) as fault:
            read_bytes(path)
        assert "cannot be read: it is a pipe, a device or a socket; a file is needed" in complaint(fault)
    with pytest.raises(InputError, match="a file is needed"):
        diffrt.read_image(tmp_path / "pipe.png")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(InputError) as fault:
        read_bytes("scene\0.toml")
    assert "cannot be read" in complaint(fault)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.touch()
    with pytest.raises(InputError) as fault:
        read_toml(path)
    assert complaint(fault) == f"{path}: the file is empty"


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(101))
    assert len(read_bytes(path, limit=101)) == 101
    with pytest.raises(InputError) as fault:
        read_bytes(path, limit=100)
    assert complaint(fault) == f"{path}: larger than the 100 bytes that are read"


def test_a_toml_file_over_4_mib(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(InputError) as fault:
        read_toml(path)
    assert complaint(fault) == f"{path}: larger than the 4 MiB that are read"


def test_a_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "image.toml"
    path.write_bytes(b"IHDR\0\0\1\2")
    with pytest.raises(InputError) as fault:
        read_toml(path)
    assert complaint(fault) == f"{path}: not a text file: byte 4 is NUL"


def test_a_text_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("# größe".encode("latin-1"))
    with pytest.raises(InputError) as fault:
        read_toml(path)
    assert complaint(fault) == f"{path}: not UTF-8 text: byte 4 is 0xf6"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1")
    assert read_text(path) == "a = 1"


def test_a_truncated_toml_file_is_told_with_its_line() -> None:
    with pytest.raises(InputError) as fault:
        parse_toml("[camera]\nposition = [0, 1", "cut.toml")
    assert complaint(fault).startswith("cut.toml: line 2 (the end): ")


def test_a_toml_mistake_is_told_with_line_and_column() -> None:
    with pytest.raises(InputError) as fault:
        parse_toml("a = 1\nb = = 2\n", "typo.toml")
    assert complaint(fault) == "typo.toml: line 2, column 5: Invalid value"


@pytest.mark.parametrize("opening", ["[", "{a="])
def test_a_hostile_file_nested_too_deeply(opening: str) -> None:
    with pytest.raises(InputError) as fault:
        parse_toml("a = " + opening * 100_000, "deep.toml")
    assert complaint(fault) == "deep.toml: arrays or tables are nested too deeply"


@pytest.mark.parametrize("part", ["a", '"!"', '"\\""', "'x y'", "a "])
def test_a_hostile_key_of_a_million_parts_is_refused_at_once(part: str) -> None:
    with pytest.raises(InputError) as fault:
        parse_toml("b = 1\n" + f"{part}." * 1_000_000 + "a = 1", "key.toml")
    assert complaint(fault) == "key.toml: line 2: a key of more than 32 parts"


def test_a_hostile_integer_of_a_million_digits() -> None:
    with pytest.raises(InputError) as fault:
        parse_toml("a = " + "1" * 1_000_000, "long.toml")
    assert "too many digits" in complaint(fault)


def test_writing_makes_a_file_and_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "new"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["new"]


def test_writing_keeps_the_permissions_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.touch()
    path.chmod(0o600)
    write_whole(path, b"still private")
    assert path.stat().st_mode & 0o777 == 0o600


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    link.symlink_to(path)
    write_whole(link, b"new")
    assert link.is_symlink() and path.read_bytes() == b"new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "scene.toml"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(InputError) as fault:
        write_whole(path, b"new")
    assert complaint(fault) == f"'{path}': cannot be written: No space left on device"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["scene.toml"]


def test_an_interrupt_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    path = tmp_path / "scene.toml"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["scene.toml"]


def test_writing_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        write_whole(tmp_path / "none" / "scene.toml", b"new")
    assert complaint(fault).endswith(f"the folder {tmp_path / 'none'} does not exist; create it first")


def test_writing_onto_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        write_whole(tmp_path, b"new")
    assert complaint(fault) == f"{tmp_path}: is a folder; the name of a file is needed"


def test_writing_onto_a_device_does_not_replace_it() -> None:
    with pytest.raises(InputError) as fault:
        write_whole(os.devnull, b"new")
    assert complaint(fault) == f"{os.devnull}: is not a regular file"


@needs_permissions
def test_writing_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "fixed"
    path.write_bytes(b"old")
    path.chmod(0o400)
    with pytest.raises(InputError) as fault:
        write_whole(path, b"new")
    assert complaint(fault) == f"{path}: no permission to write it"
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["x" * 300, "nul\0"])
def test_writing_to_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as fault:
        write_whole(tmp_path / name, b"new")
    assert "cannot be written" in complaint(fault)
    assert os.listdir(tmp_path) == []


def test_an_unknown_word_is_met_with_the_nearest_known_one_or_all_of_them() -> None:
    assert did_you_mean("raduis", ["center", "radius"]) == "did you mean 'radius'?"
    assert did_you_mean("colour", ["center", "radius"]) == "known: 'center', 'radius'"
    assert did_you_mean("colour", []) == "known: none"
