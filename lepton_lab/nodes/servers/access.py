"""Who may speak to the lab's redis servers: certificates, passwords and the list of users."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from lepton_lab.nodes.redis_clients import Tls
from lepton_lab.tls import LabCA
from lepton_lab.tls.ca import IdentityFiles

USER, REPLICA, ADMIN = "lepton", "replica", "admin"
PREFIX = "lep:"
_DAYS = 60  # no set of servers of a lab runs for longer

# The lab's user may touch its own prefix and needs no more than these; neither KEYS nor FLUSHALL nor CONFIG is among
# them. The other two users exist only in a cluster: one follows a primary, one puts the cluster together.
_KEYS = "+get +set +mget +exists +del +unlink +scan"
_SESSION = "+ping +auth +hello +select"
_CLUSTER = "+command +cluster|slots +readonly +readwrite +wait"  # WAIT for who asks whether a replica has it


@dataclass(frozen=True)
class Access:
    """A random password for each user, in this process's memory and no longer than it; and certificates, if any."""

    server: IdentityFiles | None = None
    client: IdentityFiles | None = None
    passwords: dict[str, str] = field(
        default_factory=lambda: {user: secrets.token_hex(32) for user in (USER, REPLICA, ADMIN)},
        repr=False,
    )

    @classmethod
    def certified(cls, folder: Path) -> Access:
        """With a new authority, whose key is dropped at once: nobody else will ever have a certificate of it."""
        authority = LabCA.create("a lab's redis servers")
        server = authority.issue(
            "127.0.0.1", also=["localhost"], server=True, client=True, days=_DAYS
        )
        client = authority.issue(USER, client=True, days=_DAYS)
        return cls(server.save(folder / "server"), client.save(folder / "client"))

    @property
    def tls(self) -> Tls | None:
        """What a client needs, or None without TLS."""
        if self.client is None:
            return None
        return Tls(str(self.client.authority), str(self.client.certificate), str(self.client.key))

    @property
    def query(self) -> str:
        """The same as the end of a URL."""
        if self.client is None:
            return ""
        return "?" + urlencode(
            {
                "ssl_ca_certs": self.client.authority,
                "ssl_certfile": self.client.certificate,
                "ssl_keyfile": self.client.key,
            }
        )

    def users(self, *, cluster: bool) -> str:
        """The list of users (redis.io, "ACL"), in the forms that 6.2 and every later version understand.

        Nobody is `default`. Passwords stand there only as SHA-256, which is enough for 256 random bits.
        """
        lines = [
            "user default off",
            f"user {USER} on {self._hashed(USER)} ~{PREFIX}* resetchannels -@all {_SESSION} {_KEYS}"
            + (f" {_CLUSTER}" if cluster else ""),
        ]
        if cluster:
            lines += [
                f"user {REPLICA} on {self._hashed(REPLICA)} resetchannels -@all +psync +replconf +ping +auth",
                f"user {ADMIN} on {self._hashed(ADMIN)} resetchannels -@all {_SESSION} +cluster +info",
            ]
        return "".join(line + "\n" for line in lines)

    def _hashed(self, user: str) -> str:
        return "#" + hashlib.sha256(self.passwords[user].encode()).hexdigest()
