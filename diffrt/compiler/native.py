"""From the text of a program to machine code, and a cache of it for the next time.

The cache is a folder of the user. A file is named by a hash of what makes the code what it is: the program, the
processor and the versions. It begins with a hash of what it holds: a damaged file is compiled again. It is written
whole and renamed, so several processes may share the folder; its size is bounded, the files that were not used for
longest go first; without it everything works.

A program of the package is known by its function, its structure and the package's source, so that it need not even be
recorded again. Another one, of a user's own kernel, is known by its text.
"""

import ctypes
import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from diffrt.compiler.llvm import NAME
from diffrt.files import MIB, write_whole

LIMIT = 64 * MIB
"""The most bytes that the cache holds."""

_FORMAT = b"diffrt 1\n"
_SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 3)


def cache_folder() -> Path:
    """Where compiled programs are kept; deleting it is harmless."""
    return Path(platformdirs.user_cache_dir("diffrt", appauthor=False))


@cache
def host() -> tuple[str, str, int]:
    """The processor, its features, and how many doubles its vectors hold."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features()
    width = 8 if features.get("avx512f") else 4 if features.get("avx") else 2
    return binding.get_host_cpu_name(), features.flatten(), width


class Native:
    """Machine code of one program; the ctypes function `call` runs it, without Python's lock."""

    def __init__(self, code: bytes) -> None:
        from llvmlite import binding

        cpu, features, _ = host()
        # The engine owns the code, so it must live as long as the function.
        self._engine: Any = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine(cpu, features, 0))
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.call: Any = _SIGNATURE(self._engine.get_function_address(NAME))


def compiled(text: str, effort: int) -> bytes:
    """The machine code of a text, from the cache if it is there. effort: of the code generator, 0 to 3."""
    key = key_of(text, str(effort))
    code = read(key)
    if code is None:
        code = compile_text(text, effort)
        write(key, code)
    return code


def _machine(cpu: str, features: str, effort: int) -> Any:
    from llvmlite import binding

    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=cpu, features=features, opt=effort, reloc="pic", codemodel="jitdefault", jit=True
    )


def compile_text(text: str, effort: int) -> bytes:
    """The machine code of a text."""
    from llvmlite import binding

    cpu, features, _ = host()
    machine = _machine(cpu, features, effort)
    module = binding.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    code: bytes = machine.emit_object(module)
    return code


def key_of(*parts: str) -> str:
    """What names a file of the cache."""
    import llvmlite
    from llvmlite import binding

    cpu, features, _ = host()
    whole = [*parts, cpu, features, llvmlite.__version__, repr(binding.llvm_version_info)]
    return hashlib.sha256("\0".join(whole).encode()).hexdigest()


@cache
def source() -> str:
    """A hash of the package's source."""
    total = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def read(key: str) -> bytes | None:
    """What the cache holds under a key; None for nothing, or for something damaged."""
    try:
        path = cache_folder() / key
        data = path.read_bytes()
        start = len(_FORMAT)
        code = data[start + 32 :]
        if data[:start] != _FORMAT or hashlib.sha256(code).digest() != data[start : start + 32]:
            return None
        with suppress(OSError):
            os.utime(path)
        return code
    except OSError:
        return None


def write(key: str, code: bytes) -> None:
    """Keep code for the next time, if that can be done."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for entry in os.scandir(folder):
            with suppress(OSError):
                files.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
        room = LIMIT - len(code)
        for _, size, path in sorted(files, reverse=True):
            room -= size
            if room < 0:
                with suppress(OSError):
                    os.unlink(path)
        write_whole(folder / key, _FORMAT + hashlib.sha256(code).digest() + code)
    except (OSError, ValueError):
        return
