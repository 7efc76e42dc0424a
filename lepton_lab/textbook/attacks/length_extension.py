"""SHA-256(key ‖ message) as a tag: from one tag anyone computes others, without the key.

Tsudik 1992. The weak form: a digest *is* the state after the last block, H⁽ᴺ⁾. To continue
compressing from there is to compute the digest of the padded message and any extension. Of the key
only its length matters, for the padding.

The defence: HMAC (RFC 2104) hashes the inner digest once more under the key, so no inner state gets
out.
"""

from __future__ import annotations

from lepton_lab.textbook.primitives import as_bytes, integer, sha256
from lepton_lab.textbook.trace import Recorder, Trace


def tag(key: bytes, message: bytes) -> bytes:
    """The weak form: SHA-256(key ‖ message), 32 bytes."""
    return sha256.sha256(as_bytes("key", key) + as_bytes("message", message)).result


def extend(
    message: bytes, its_tag: bytes, key_length: int, extension: bytes
) -> Trace[tuple[bytes, bytes]]:
    """Make a longer message, which ends in `extension`, and its tag.

    `its_tag`: 32 bytes, SHA-256(key ‖ message). `key_length`: of the unknown key, in bytes. Raises
    InvalidParameter.
    """
    as_bytes("message", message)
    as_bytes("extension", extension)
    length = integer("key_length", key_length, least=0) + len(message)
    seen = Recorder()
    glue = sha256.padding(length)
    seen("padding", glue, "what the victim's own hash put behind the message")
    state = as_bytes("its_tag", its_tag, 32)
    seen("state", state, "the tag: where the victim's hash stopped")
    forged = seen("tag", sha256.sha256(extension, state, length + len(glue)).result)
    return seen.trace((message + glue + extension, forged))
