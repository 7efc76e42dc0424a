"""Raises numbers to a secret exponent in constant time: by OpenSSL's libcrypto 3, or else by GMP.

`BACKEND` says which of the two is used. Only the exponentiation is constant-time (OpenSSL's
BN_mod_exp_mont_consttime, GMP's mpz_powm_sec). The reductions, conversions and the Chinese
remainder theorem around it are not.
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
    """Return libcrypto with its functions' types declared, or None if it cannot be used.

    It cannot be used where it does not load, or where it is too old and lacks a function.
    """
    name = _FILES.get(sys.platform, "libcrypto.so.3")
    # Some Pythons (python.org's for macOS, conda's) bring a libcrypto; else the system's is taken.
    bundled = str(Path(sys.base_prefix, "lib", name))
    for path in (bundled, name):
        try:
            library = ctypes.CDLL(path)
            for function, (result, arguments) in _FUNCTIONS.items():
                declared = getattr(library, function)
                declared.restype = result
                declared.argtypes = arguments
        except (OSError, AttributeError):
            continue
        return library
    return None


_LIB = _libcrypto()
BACKEND = "gmp" if _LIB is None else "openssl"


class _Scratch:
    """OpenSSL's working memory and two numbers, for one thread.

    Threads that share one get wrong results, without an error.
    """

    def __init__(self) -> None:
        # At the interpreter's end this module's names may be gone before __del__ runs.
        self._lib = _LIB
        self.context = _LIB.BN_CTX_new()
        self.base = _LIB.BN_new()
        self.result = _LIB.BN_new()
        _check(self.context and self.base and self.result)

    def __del__(self) -> None:
        self._lib.BN_clear_free(self.base)
        self._lib.BN_clear_free(self.result)
        self._lib.BN_CTX_free(self.context)


_threads = threading.local()


def _scratch() -> _Scratch:
    """Return the scratch memory of the current thread."""
    if not hasattr(_threads, "scratch"):
        _threads.scratch = _Scratch()
    scratch: _Scratch = _threads.scratch
    return scratch


def _check(result: object) -> None:
    # These functions fail only when memory cannot be allocated.
    if not result:
        raise MemoryError("OpenSSL ran out of memory")


class SecretPower:
    """The map x ↦ x^exponent mod modulus, for one secret exponent > 0 and one odd modulus."""

    def __init__(self, exponent: mpz, modulus: mpz) -> None:
        self._exponent = exponent
        self._modulus = modulus
        self.modulus_bits = modulus.bit_length()
        self._size = (self.modulus_bits + 7) // 8
        self._lib = _LIB
        if self._lib is not None:
            self._e = self._lib.BN_new()
            self._m = self._lib.BN_new()
            self._mont = self._lib.BN_MONT_CTX_new()
            _check(self._e and self._m and self._mont)
            self._load(exponent, self._e)
            self._load(modulus, self._m)
            _check(self._lib.BN_MONT_CTX_set(self._mont, self._m, _scratch().context))

    def __del__(self) -> None:
        if self._lib is not None:
            self._lib.BN_clear_free(self._e)
            self._lib.BN_clear_free(self._m)
            self._lib.BN_MONT_CTX_free(self._mont)

    def _load(self, value: mpz, number: int) -> None:
        """Copy `value` into one of OpenSSL's numbers, given by its address."""
        _check(self._lib.BN_bin2bn(value.to_bytes(self._size, "big"), self._size, number))

    def __call__(self, x: mpz) -> mpz:
        """Return x^exponent mod modulus, for 0 <= x < modulus."""
        if self._lib is None:
            return powmod_sec(x, self._exponent, self._modulus)
        scratch = _scratch()
        data = ctypes.create_string_buffer(self._size)
        self._load(x, scratch.base)
        _check(
            self._lib.BN_mod_exp_mont_consttime(
                scratch.result, scratch.base, self._e, self._m, scratch.context, self._mont
            )
        )
        _check(self._lib.BN_bn2binpad(scratch.result, data, self._size) == self._size)
        return mpz.from_bytes(data.raw, "big")
