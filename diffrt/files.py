"""Reading and writing whole files, with every fault told in one line.

Reading is bounded: only a regular file is read, and one over the limit is refused before it fills the memory.
Writing is all or nothing: the bytes go to a new file in the same folder, which takes the old one's place in a single
step, so that whoever reads the file at any moment finds the old content or the new, never half of it. What a process
leaves that is killed in between, the next one that writes into that folder removes.

What must belong to one process at a time is locked. The system holds the lock for as long as the process lives and
has the file open, however it ends; so a lock is never left behind, and a file that a killed process was writing is
known by being locked no more.
"""

import json
import os
import re
import secrets
import stat
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from diffrt.errors import InputError, shown

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

MIB = 1 << 20

DEEPEST = 32
"""So many levels of tables and arrays may lie in each other in a TOML file."""

_FRESH = re.compile(r"\.diffrt-[0-9a-f]{16}\.tmp")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_ABANDONED = 3600.0  # seconds after which a file is left over, where no lock tells

# tomllib takes time quadratic in the number of parts of a dotted key, so a hostile key of a million parts
# would hang it. A try begins only where a part of a key can, which keeps this search linear.
_LONG_KEY = re.compile(
    r"""(?<![\w\\-]) (?: (?: [\w-]++ | "(?:[^"\\\n]|\\.)*+" | '[^'\n]*+' ) [ \t]*+ \. [ \t]*+ ){32}""",
    re.VERBOSE,
)


def expect_path(path: Any) -> None:
    """Raises InputError for what is no path; the number of an open file is none."""
    if not isinstance(path, str | Path):
        raise InputError(f"found {shown(path)}, needed: the path of a file")


def expect_suffix(path: str | Path, allowed: Sequence[str]) -> str:
    """The suffix of a path, in small letters. Raises InputError for one that is not allowed."""
    expect_path(path)
    suffix, (*others, last) = Path(path).suffix, allowed
    if suffix.lower() not in allowed:
        told = f"{', '.join(others)} or {last}" if others else last
        raise InputError(f"{path}: found the suffix '{suffix}', allowed: {told}")
    return suffix.lower()


def read_bytes(path: str | Path, limit: int = 16 * MIB) -> bytes:
    """The content of a file.

    path: the file. limit: the most bytes that it may hold.
    Raises InputError if it is missing, a folder, not readable, empty or larger than `limit`.
    """
    expect_path(path)
    try:
        with open(path, "rb", opener=_open_regular) as file:
            # Python takes memory for as much as it is told to read.
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1) if size <= limit else None
            if data is None or len(data) > limit:  # it may grow while it is read
                raise InputError(f"{path}: larger than the {_size(limit)} that are read")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; a file is needed") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it") from None
    except (OSError, ValueError) as fault:
        raise InputError(f"{str(path)!r}: cannot be read: {_reason(fault)}") from None
    if not data:
        raise InputError(f"{path}: the file is empty")
    return data


def read_text(path: str | Path, limit: int = 4 * MIB) -> str:
    """The content of a UTF-8 text file; a byte order mark at its start is left out.

    path: the file. limit: the most bytes that it may hold.
    Raises InputError for what `read_bytes` refuses, and for bytes that are not UTF-8 text.
    """
    data = read_bytes(path, limit)
    if b"\0" in data:
        raise InputError(f"{path}: not a text file: byte {data.index(0)} is NUL")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InputError(f"{path}: not UTF-8 text: byte {fault.start} is 0x{data[fault.start]:02x}") from None


def read_toml(path: str | Path, limit: int = 4 * MIB) -> dict[str, Any]:
    """The tables of a TOML file. Raises InputError as `read_text` and `parse_toml` do."""
    return parse_toml(read_text(path, limit), str(path))


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The tables of a TOML text.

    text: the TOML. source: what to call it in a message, usually the file's name.
    Raises InputError, one line with the source and the line number, if it is not TOML or is nested too
    deeply to be anything sensible.
    """
    if long_key := _LONG_KEY.search(text):
        line = text.count("\n", 0, long_key.start()) + 1
        raise InputError(f"{source}: line {line}: a key of more than 32 parts")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise InputError(f"{source}: {_toml_fault(str(fault), text)}") from None
    except RecursionError:
        raise InputError(f"{source}: arrays or tables are nested too deeply") from None
    except ValueError:  # Python refuses to convert integers of thousands of digits
        raise InputError(f"{source}: holds a number with too many digits, or a date that does not exist") from None
    level: list[Any] = [tables]
    for _ in range(DEEPEST):
        level = [v for each in level for v in (each.values() if isinstance(each, dict) else each)
                 if isinstance(v, dict | list)]  # fmt: skip
    if level:
        raise InputError(f"{source}: arrays or tables are nested too deeply; allowed: {DEEPEST} levels")
    return tables


def toml_value(value: Any) -> str:
    """A value as it stands in a TOML file: text, a flag, a number, or lists and tables of them on one line.

    `repr` gives the shortest digits that read back as the same float.
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # TOML has the escapes of JSON, and wants one more
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def toml_key(name: str) -> str:
    """A key of a TOML table, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def make_folder(folder: str | Path) -> Path:
    """The folder, made if it is missing. Raises InputError if it cannot be."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as fault:
        raise InputError(f"{folder}: cannot be made a folder: {_reason(fault)}") from None
    return Path(folder)


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a file entirely or not at all.

    path: the file; a link is followed. data: its new content.
    Raises InputError if the folder is missing, the file may not be written, is not a regular file, or the
    disk refuses. Then an existing file is untouched and nothing is left behind.
    """
    expect_path(path)
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise InputError(f"{path}: is a folder; the name of a file is needed")
        if target.exists() and not target.is_file():  # replacing /dev/null by a file would harm the machine
            raise InputError(f"{path}: is not a regular file")
        if target.exists() and not os.access(target, os.W_OK):
            raise InputError(f"{path}: no permission to write it")
        if not target.parent.is_dir():
            raise InputError(f"{path}: the folder {target.parent} does not exist; create it first")
        _replace(target, data)
    except InputError:
        raise
    except (OSError, ValueError) as fault:
        raise InputError(f"{str(path)!r}: cannot be written: {_reason(fault)}") from None


@contextmanager
def locked(folder: str | Path, busy: str) -> Iterator[Path]:
    """Holds a folder, made if it is missing, for one process alone, and cleans it of what killed ones left behind.

    busy: what to say, after the folder's name, if another process holds it. Gives the folder. The file of the lock is
    removed in the end, and a folder that was made here if nothing is in it. A file system without locks keeps nobody
    out. Raises InputError if another process holds the folder, or it cannot be made or written.
    """
    expect_path(folder)
    path = Path(folder)
    made = [each for each in (path, *path.parents) if not each.exists()]
    make_folder(path)
    lock = path / ".diffrt.lock"
    try:
        descriptor = _open_locked(lock)
    except OSError as fault:
        raise InputError(f"{folder}: cannot be written: {_reason(fault)}") from None
    if descriptor is None:
        raise InputError(f"{folder}: {busy}")
    try:
        _remove_abandoned(path)
        yield path
    finally:
        with suppress(OSError):
            if sys.platform == "win32":  # an open file cannot be removed there
                os.close(descriptor)
                lock.unlink()
            else:  # nobody else may lock it between
                lock.unlink()
                os.close(descriptor)
        with suppress(OSError):  # one of them is not empty
            for each in made:
                each.rmdir()


def _open_locked(path: Path) -> int | None:
    """The descriptor of a file that is now locked, None if another process has locked it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        if _lock(descriptor) is False:
            os.close(descriptor)
            return None
        # Whoever held it may have removed it after we opened it; then what we have locked is nobody's file.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file without waiting: whether it is ours now, None where the file system has no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # as POSIX says it, and Windows
        return False
    except OSError:
        return None
    return True


def _replace(target: Path, data: bytes) -> None:
    """Put a new file in the place of `target` in one step, with its permissions if it existed."""
    with fresh_file(target.parent, data) as fresh:
        if target.exists():
            fresh.chmod(target.stat().st_mode & 0o7777)
        os.replace(fresh, target)


@contextmanager
def fresh_file(folder: Path, data: bytes, mode: int = 0o666) -> Iterator[Path]:
    """A new file with its whole content, safe on the disk, under a name that nobody knows yet: to be renamed.

    folder: that it is made in. mode: its permissions, less what the umask takes away. Raises OSError.
    It is locked for as long as it has that name, and gone at the end. So a file of such a name that is not locked was
    left by a process that was killed; these are removed first.
    """
    _remove_abandoned(folder)
    while True:
        fresh = folder / f".diffrt-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), mode)
        if sys.platform != "win32":  # which does not rename a locked file
            _lock(descriptor)
        if os.path.exists(fresh):  # nobody took it for abandoned before it was locked
            break
        os.close(descriptor)
    with open(descriptor, "wb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            if sys.platform == "win32":  # which does not rename an open file
                file.close()
            yield fresh
        finally:  # also when the user interrupts
            if sys.platform == "win32":
                file.close()
            fresh.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove the new files of processes that were killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not _FRESH.fullmatch(entry.name):
                continue
            with suppress(OSError):
                if sys.platform == "win32":
                    if entry.stat().st_mtime < time.time() - _ABANDONED:
                        os.unlink(entry.path)
                    continue
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
                try:
                    if _lock(descriptor):  # whoever wrote it does not live
                        os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def _open_regular(path: str, flags: int) -> int:
    """Open a file for reading, if it is one: a pipe could be waited for, and a device read, without end."""
    _check_regular(os.stat(path))  # to open a device may be felt by it
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is a pipe, a device or a socket; a file is needed")


def _reason(fault: Exception) -> str:
    return (fault.strerror if isinstance(fault, OSError) else None) or str(fault)


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit} bytes"


def _toml_fault(message: str, text: str) -> str:
    """tomllib's "Invalid value (at line 3, column 5)" with the place first, as compilers write it."""
    place = re.search(r" \(at (?:(line \d+, column \d+)|end of document)\)$", message)
    if place is None:
        return message
    at_end = f"line {len(text.splitlines()) or 1} (the end)"
    return f"{place[1] or at_end}: {message[: place.start()]}"
