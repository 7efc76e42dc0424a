"""A key drawn from a seeded generator is worth no more than its seed.

Goldberg and Wagner, 1996, on Netscape's SSL. The weak form: a generator is seeded with the time, in
whole seconds, and asked for 32 bytes. The key has 256 bits and the seed has few values: an attacker
who knows the day knows that it is one of 86,400, a search of log₂ 86,400 = 16.4 bits, and one
ciphertext tells which. Mixing in more that is known or small (a process number) adds its few bits
and no more. All keys that Debian made in two years were found that way (CVE-2008-0166, 32,768 of
each kind).

The defence: `lepton_lab.aes.generate_key` asks the operating system, which collects entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lepton_lab.textbook.attacks import AttackFailed, Counted
from lepton_lab.textbook.primitives import as_bytes
from lepton_lab.textbook.trace import Recorder, Trace


def guess(
    key_from: Callable[[int], bytes],
    seeds: Iterable[int],
    opens: Callable[[bytes], bool],
    limit: int = 1 << 20,
) -> Trace[bytes]:
    """Find a key by making the key of every seed in turn and trying it.

    `key_from(seed)` does what the victim did. `opens(key)` tells whether the key opens what was
    intercepted. `limit`: the most keys to try. Raises AttackFailed when no seed fits, or after
    `limit` tries.
    """
    opened = Counted(opens, limit)
    seen = Recorder()
    for seed in seeds:
        key = as_bytes("key", key_from(seed))
        if opened(key):
            seen("seed", seed)
            seen("queries", opened.asked, "seeds tried")
            return seen.trace(key)
    raise AttackFailed(f"none of these {opened.asked} seeds gives the key")
