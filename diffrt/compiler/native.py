"""From the text of a program to machine code, which the cache keeps for the next time.

A program of the package is known by its function, its structure and the package's source, so that it need not even be
recorded again. Another one, of a user's own kernel, is known by its text.
"""

import ctypes
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from diffrt.compiler import code_cache
from diffrt.compiler.llvm import NAME

_SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 3)


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


def compiled(text: str, optimisation: int) -> bytes:
    """The machine code of a text, from the cache if it is there. optimisation: of the code generator, 0 to 3."""
    key = key_of(text, str(optimisation))
    code = code_cache.read(key)
    if code is None:
        code = compile_text(text, optimisation)
        code_cache.write(key, code)
    return code


def _machine(cpu: str, features: str, optimisation: int) -> Any:
    from llvmlite import binding

    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=cpu, features=features, opt=optimisation, reloc="pic", codemodel="jitdefault", jit=True
    )


def compile_text(text: str, optimisation: int) -> bytes:
    """The machine code of a text. Raises ValueError for a function of the C library that is not there, which would end
    the process when the code is loaded."""
    from llvmlite import binding

    cpu, features, _ = host()
    machine = _machine(cpu, features, optimisation)
    module = binding.parse_assembly(text)
    called = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    if called:
        binding.create_mcjit_compiler(binding.parse_assembly(""), _machine(cpu, features, 0))  # makes them known
    for name in called:
        if binding.address_of_symbol(name) is None:
            raise ValueError(f"the C library has no function {name}, which the code of an op calls")
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
