"""One end of a TLS connection whose bytes pass through our hands instead of a socket's."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from lepton_lab.tls.contexts import require_client_end, require_server_end, require_server_name


class Endpoint:
    """An `ssl.SSLObject` between two memory buffers: what arrives goes to `take`, what is to be sent comes from `sent`.

    With a server name it is a client, which checks that name; without, a server. Raises InvalidParameter for a context
    of the other kind, or a client's that does not verify.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        if server_name is None:
            require_server_end(context)
        else:
            require_client_end(context)
            require_server_name(server_name)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_name is None, server_name
        )

    def finishes(self, step: Callable[[], object]) -> bool:
        """Take a step of `tls` (its handshake, its unwrap); False when it needs to hear more before it is done."""
        try:
            step()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """Application data that has arrived, b"" at an orderly end, None when there is nothing yet."""
        try:
            return self.tls.read(2**14)
        except ssl.SSLWantReadError:
            return None

    def take(self, data: bytes) -> None:
        """Bytes from the other end; none at all is its end."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def sent(self) -> bytes:
        """Bytes for the other end."""
        return self._outgoing.read()
