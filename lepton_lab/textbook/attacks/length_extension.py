"""SHA-256(key ‖ message) as a tag: whoever has one tag makes others, without the key (Tsudik 1992).

The weak form: a digest *is* the state after the last block, H⁽ᴺ⁾. Whoever goes on compressing from there computes the
digest of the padded message and any extension; of the key only its length matters, for the padding.

The defence beside it: HMAC (RFC 2104) hashes the inner digest once more under the key, so no inner state gets out.
"""

from __future__ import annotations

from lepton_lab.textbook.primitives import as_bytes, integer, sha256
from lepton_lab.textbook.trace import Recorder, Trace


def tag(key: bytes, message: bytes) -> bytes:
    """The weak form."""
    return sha256.sha256(as_bytes("key", key) + as_bytes("message", message)).result


def extend(
    message: bytes, its_tag: bytes, key_length: int, extension: bytes
) -> Trace[tuple[bytes, bytes]]:
    """A longer message, which ends in `extension`, and its tag.

    `its_tag`: 32 bytes, SHA-256(key ‖ message); `key_length`: of the unknown key, in bytes. Raises InvalidParameter.
    """
    seen, length = (
        Recorder(),
        integer("key_length", key_length, least=0) + len(as_bytes("message", message)),
    )
    glue = seen(
        "padding", sha256.padding(length), "what the victim's own hash put behind the message"
    )
    state = seen(
        "state", as_bytes("its_tag", its_tag, 32), "the tag: where the victim's hash stopped"
    )
    forged = seen("tag", sha256.sha256(extension, state, length + len(glue)).result)
    return seen.trace((message + glue + as_bytes("extension", extension), forged))
