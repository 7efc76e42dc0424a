"""Modular exponentiation with a secret exponent: OpenSSL's constant-time one where libcrypto 3 loads, else GMP's.

`BACKEND` says which of the two serves. Constant-time is the exponentiation alone (OpenSSL's BN_mod_exp_mont_consttime,
GMP's mpz_powm_sec): the reductions, conversions and the Chinese remainder theorem around it are not.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from ctypes import c_char_p, c_int, c_void_p
from pathlib import Path
from typing import Any

from gmpy2 import mpz, powmod_sec

_FILES = {"darwin": "libcrypto.3.dylib", "win32": "libcrypto-3.dll"}
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "BN_new": (c_void_p, []),
    "BN_CTX_new": (c_void_p, []),
    "BN_MONT_CTX_new": (c_void_p, []),
    "BN_bin2bn": (c_void_p, [c_char_p, c_int, c_void_p]),
    "BN_bn2binpad": (c_int, [c_void_p, c_char_p, c_int]),
    "BN_MONT_CTX_set": (c_int, [c_void_p] * 3),
    "BN_mod_exp_mont_consttime": (c_int, [c_void_p] * 6),
    "BN_clear_free": (None, [c_void_p]),
    "BN_CTX_free": (None, [c_void_p]),
    "BN_MONT_CTX_free": (None, [c_void_p]),
}


def _libcrypto() -> Any:
    """OpenSSL's libcrypto with its types declared, or None where it does not load or lacks a function."""
    name = _FILES.get(sys.platform, "libcrypto.so.3")
    for path in (
        str(Path(sys.base_prefix, "lib", name)),
        name,
    ):  # Python's own, where it brings one; the system's
        try:
            library = ctypes.CDLL(path)
            for function, (result, arguments) in _FUNCTIONS.items():
                declared = getattr(library, function)
                declared.restype, declared.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        return library
    return None


_LIB = _libcrypto()
BACKEND = "gmp" if _LIB is None else "openssl"


class _Scratch:
    """OpenSSL's context and two numbers for one thread: shared between threads they give wrong results."""

    def __init__(self) -> None:
        self._lib = _LIB  # the module's own name may be gone first when the interpreter ends
        self.context, self.base, self.result = _LIB.BN_CTX_new(), _LIB.BN_new(), _LIB.BN_new()
        _done(self.context and self.base and self.result)

    def __del__(self) -> None:
        self._lib.BN_clear_free(self.base)
        self._lib.BN_clear_free(self.result)
        self._lib.BN_CTX_free(self.context)


_threads = threading.local()


def _scratch() -> _Scratch:
    if not hasattr(_threads, "scratch"):
        _threads.scratch = _Scratch()
    scratch: _Scratch = _threads.scratch
    return scratch


def _done(result: object) -> None:
    if not result:
        raise MemoryError("OpenSSL ran out of memory")


class SecretPower:
    """x ↦ x^exponent mod modulus: one secret exponent > 0, one odd modulus."""

    def __init__(self, exponent: mpz, modulus: mpz) -> None:
        self._exponent, self._modulus = exponent, modulus
        self._size, self._lib = (modulus.bit_length() + 7) // 8, _LIB
        if self._lib is not None:
            self._e, self._m, self._mont = (
                self._lib.BN_new(),
                self._lib.BN_new(),
                self._lib.BN_MONT_CTX_new(),
            )
            _done(self._e and self._m and self._mont)
            self._load(exponent, self._e)
            self._load(modulus, self._m)
            _done(self._lib.BN_MONT_CTX_set(self._mont, self._m, _scratch().context))

    def __del__(self) -> None:
        if self._lib is not None:
            self._lib.BN_clear_free(self._e)
            self._lib.BN_clear_free(self._m)
            self._lib.BN_MONT_CTX_free(self._mont)

    def _load(self, value: mpz, number: int) -> None:
        _done(self._lib.BN_bin2bn(value.to_bytes(self._size, "big"), self._size, number))

    def __call__(self, x: mpz) -> mpz:
        """x^exponent mod modulus, for 0 <= x < modulus."""
        if self._lib is None:
            return powmod_sec(x, self._exponent, self._modulus)
        mine, data = _scratch(), ctypes.create_string_buffer(self._size)
        self._load(x, mine.base)
        power = mine.result, mine.base, self._e, self._m, mine.context, self._mont
        _done(self._lib.BN_mod_exp_mont_consttime(*power))
        _done(self._lib.BN_bn2binpad(mine.result, data, self._size) == self._size)
        return mpz.from_bytes(data.raw, "big")
