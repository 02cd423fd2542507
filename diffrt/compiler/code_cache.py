"""The cache of machine code: what one run compiled, the next one loads.

What is loaded runs with all the rights of the user, so nothing is loaded that another one may have written. The folder
is used only if it is the user's own, and nobody else can put another one in its place: every folder on the way to it
is the user's or root's, not writable by others (but for the likes of /tmp, where others cannot touch what is not
theirs), and no link. A file is opened without following links, and must be the user's own too. It begins with a
signature of its name and what it holds (HMAC, RFC 2104) by a key, which lies in the folder and which only the user can
read: so a damaged file, one of another name, or one that some other program put there is not loaded but compiled again.

A file is named by a hash of what makes the code what it is. It is written whole and renamed, so several processes may
share the folder. Its size is bounded, and the files that were not used for longest go first. Where the folder cannot be
used, everything is compiled in memory, and a warning says so once.
"""

import hmac
import os
import re
import secrets
import stat
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

from diffrt.files import MIB, fresh_file

LIMIT = 64 * MIB
"""The most bytes that the cache holds."""

_FORMAT = b"diffrt 2\n"
_KEY = "key"
_KEY_SIZE = 32
_OURS = re.compile(r"[0-9a-f]{64}")
_HAS_OWNERS = hasattr(os, "geteuid")  # not on Windows, where the folder's access list is what admits only the user
_WITHOUT_LINKS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


class CodeNotKept(UserWarning):
    """Compiled programs cannot be kept for the next time."""


class _NotTrusted(Exception):
    """Why a folder or a file is not used."""


def cache_folder() -> Path:
    """Where compiled programs are kept; deleting it is harmless. It is not absolute where no home is known."""
    try:
        return Path(platformdirs.user_cache_dir("diffrt", appauthor=False))
    except RuntimeError:  # there is neither HOME nor an entry of the user
        return Path("diffrt")


def keeps() -> bool:
    """Whether compiled programs are kept."""
    with suppress(_NotTrusted, OSError, ValueError):
        _trusted(cache_folder())
        return True
    return False


def describe() -> str:
    """Where compiled programs are kept, or why nowhere, in a line."""
    try:
        return f"compiled programs are kept in {_trusted(cache_folder())}"
    except (_NotTrusted, OSError, ValueError) as fault:
        return f"compiled programs are not kept: {_reason(fault)}"


def read(name: str) -> bytes | None:
    """What the cache holds under a name; None for nothing, or for something that this user did not write."""
    place = _place(cache_folder())
    if place is None:
        return None
    folder, key = place
    try:
        data = _own(folder / name)
        start = len(_FORMAT)
        code = data[start + 32 :]
        if data[:start] != _FORMAT or not hmac.compare_digest(_signature(key, name, code), data[start : start + 32]):
            return None
        with suppress(OSError):
            os.utime(folder / name)
        return code
    except (_NotTrusted, OSError):
        return None


def write(name: str, code: bytes) -> None:
    """Keep code for the next time, if that can be done."""
    place = _place(cache_folder())
    if place is None:
        return
    folder, key = place
    try:
        files = []
        for entry in os.scandir(folder):
            with suppress(OSError):
                if _OURS.fullmatch(entry.name):
                    status = entry.stat(follow_symlinks=False)
                    files.append((status.st_mtime, status.st_size, entry.path))
        room = LIMIT - len(code)
        for _, size, path in sorted(files, reverse=True):
            room -= size
            if room < 0:
                with suppress(OSError):
                    os.unlink(path)
        with fresh_file(folder, _FORMAT + _signature(key, name, code) + code, 0o600) as fresh:
            os.replace(fresh, folder / name)
    except OSError as fault:
        _warn(folder, _reason(fault))


def _signature(key: bytes, name: str, code: bytes) -> bytes:
    return hmac.digest(key, name.encode() + b"\0" + code, "sha256")


@cache
def _place(folder: Path) -> tuple[Path, bytes] | None:
    """The cache folder, made if it is missing, and its key; None, with a warning, if it cannot be used."""
    try:
        folder = _trusted(folder)
        return folder, _key(folder / _KEY)
    except (_NotTrusted, OSError, ValueError) as fault:
        _warn(folder, _reason(fault))
        return None


@cache
def _warn(folder: Path, reason: str) -> None:
    warnings.warn(f"compiled programs are not kept: {reason}", CodeNotKept, stacklevel=3)


def _trusted(folder: Path) -> Path:
    """The folder, made if it is missing, if only the user can say what is in it. Raises _NotTrusted and OSError.

    Whoever may write a folder may put another one in the place of each that it holds. So all are looked at, from the
    root on. What is above the home is the administrator's, who may have made links there.
    """
    with suppress(RuntimeError):  # as above
        home = Path.home()
        if home.is_absolute() and folder.is_relative_to(home):
            folder = home.resolve() / folder.relative_to(home)
    if not folder.is_absolute() or ".." in folder.parts:
        raise _NotTrusted("no folder for them is known; XDG_CACHE_HOME or HOME may name one, by an absolute path")
    for path in [*reversed(folder.parents), folder]:
        with suppress(FileExistsError):
            if not os.path.lexists(path):
                os.mkdir(path, 0o700)
        if _HAS_OWNERS:
            _check_folder(path, os.lstat(path), path == folder)
    return folder


def _check_folder(path: Path, status: os.stat_result, last: bool) -> None:
    """Raises _NotTrusted. last: whether it is the cache folder itself."""
    if stat.S_ISLNK(status.st_mode):
        raise _NotTrusted(f"{path} is a link; XDG_CACHE_HOME may name the folder itself")
    if not stat.S_ISDIR(status.st_mode):
        raise _NotTrusted(f"{path} is not a folder")
    if status.st_uid != os.geteuid() and (last or status.st_uid != 0):
        raise _NotTrusted(f"{path} belongs to another user")
    # In a folder with the sticky bit, such as /tmp, others cannot rename or remove what is not theirs.
    if status.st_mode & 0o022 and (last or not status.st_mode & stat.S_ISVTX):
        raise _NotTrusted(f"others may write {path}; chmod go-w would end that")


def _own(path: Path, private: bool = False) -> bytes:
    """What a file of the user's own holds. private: nobody else may read it. Raises _NotTrusted and OSError."""
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_LINKS)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
            raise _NotTrusted(f"{path} is not a file of the cache")
        if _HAS_OWNERS and (status.st_uid != os.geteuid() or status.st_mode & (0o077 if private else 0o022)):
            raise _NotTrusted(f"{path} is not this user's alone")
        return file.read()


def _key(path: Path) -> bytes:
    """The key of the user, made if there is none or it is no secret. Raises OSError."""
    for _ in range(100):
        try:
            key = _own(path, private=True)
            if len(key) == _KEY_SIZE:
                return key
            path.unlink()
        except FileNotFoundError:
            pass
        except (_NotTrusted, OSError):  # it is a link, for instance
            path.unlink()
        # A link, unlike a renamed file, does not take the place of one that another process made meanwhile.
        with suppress(FileExistsError), fresh_file(path.parent, secrets.token_bytes(_KEY_SIZE), 0o600) as fresh:
            os.link(fresh, path)
    raise OSError(0, f"{path} is changed all the time")


def _reason(fault: Exception) -> str:
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror
    return str(fault)
