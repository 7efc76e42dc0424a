"""Access to the lab's redis-servers: certificates, passwords and the access list (ACL)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from lepton_lab.nodes.redis_clients import TlsFiles
from lepton_lab.nodes.redis_node import DEFAULT_PREFIX
from lepton_lab.tls import LabCA
from lepton_lab.tls.ca import IdentityFiles

USER = "lepton"
REPLICA = "replica"
ADMIN = "admin"
_CERTIFICATE_DAYS = 60  # no set of servers of a lab runs for longer

# The lab's user may use keys with the prefix and only these commands; KEYS, FLUSHALL and CONFIG are
# not among them. The other two users exist only in a cluster: a replica follows its primary as one,
# and the other forms the cluster.
_KEY_COMMANDS = "+get +set +mget +exists +del +unlink +scan"
_SESSION_COMMANDS = "+ping +auth +hello +select"
# WAIT lets a caller ask whether the replicas have a write.
_CLUSTER_COMMANDS = "+command +cluster|slots +readonly +readwrite +wait"


def _random_passwords() -> dict[str, str]:
    return {user: secrets.token_hex(32) for user in (USER, REPLICA, ADMIN)}


@dataclass(frozen=True)
class ServerAccess:
    """A random password per user, held only in this process's memory, and the certificates, if TLS
    is used.
    """

    server: IdentityFiles | None = None
    client: IdentityFiles | None = None
    passwords: dict[str, str] = field(default_factory=_random_passwords, repr=False)

    @classmethod
    def with_certificates(cls, folder: Path) -> ServerAccess:
        """Issue certificates under a new CA and write them to `folder`.

        The CA's key is discarded at once, so no further certificate can ever be issued under it.
        """
        ca = LabCA.create("a lab's redis servers")
        server = ca.issue(
            "127.0.0.1", also=["localhost"], server=True, client=True, days=_CERTIFICATE_DAYS
        )
        client = ca.issue(USER, client=True, days=_CERTIFICATE_DAYS)
        return cls(server.save(folder / "server"), client.save(folder / "client"))

    @property
    def tls(self) -> TlsFiles | None:
        """The files that a client needs, or None without TLS."""
        if self.client is None:
            return None
        return TlsFiles(
            str(self.client.authority), str(self.client.certificate), str(self.client.key)
        )

    @property
    def query(self) -> str:
        """The same files as the query of a URL, with its question mark; empty without TLS."""
        if self.client is None:
            return ""
        files = {
            "ssl_ca_certs": self.client.authority,
            "ssl_certfile": self.client.certificate,
            "ssl_keyfile": self.client.key,
        }
        return "?" + urlencode(files)

    def users(self, *, cluster: bool) -> str:
        """Return the ACL file (redis.io, "ACL") in the syntax of Redis 6.2, which later versions
        read as well.

        The `default` user is switched off. The file holds passwords as plain SHA-256 hashes, which
        cannot be searched because each password has 256 random bits.
        """
        rights = f"~{DEFAULT_PREFIX}* resetchannels -@all {_SESSION_COMMANDS} {_KEY_COMMANDS}"
        if cluster:
            rights += f" {_CLUSTER_COMMANDS}"
        lines = ["user default off", f"user {USER} on {self._hashed(USER)} {rights}"]
        if cluster:
            replica = "resetchannels -@all +psync +replconf +ping +auth"
            admin = f"resetchannels -@all {_SESSION_COMMANDS} +cluster +info"
            lines.append(f"user {REPLICA} on {self._hashed(REPLICA)} {replica}")
            lines.append(f"user {ADMIN} on {self._hashed(ADMIN)} {admin}")
        return "".join(line + "\n" for line in lines)

    def _hashed(self, user: str) -> str:
        return "#" + hashlib.sha256(self.passwords[user].encode()).hexdigest()
