"""The course of a handshake: which message may come, what it changes, and what it proves.

RFC 8446 §2, §4 and §A.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lepton_lab.textbook.protocols.tls13.certificates import CertificateSummary, check_signature
from lepton_lab.textbook.protocols.tls13.dissection_errors import (
    MalformedCapture,
    WrongFinished,
    WrongSecret,
)
from lepton_lab.textbook.protocols.tls13.fields import WireField
from lepton_lab.textbook.protocols.tls13.key_schedule import (
    Secrets,
    Transcript_Hash,
    key_schedule,
    next_traffic_secret,
    verify_data,
)
from lepton_lab.textbook.protocols.tls13.suites import SUITES, CipherSuite
from lepton_lab.textbook.trace import Recorder, Trace

# The secrets of RFC 8446 §7.1 under their names in a key log (RFC 9850 §2).
KEY_LOG_LABELS = {
    "client_early_traffic_secret": "CLIENT_EARLY_TRAFFIC_SECRET",
    "early_exporter_master_secret": "EARLY_EXPORTER_SECRET",
    "client_handshake_traffic_secret": "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "server_handshake_traffic_secret": "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "client_application_traffic_secret_0": "CLIENT_TRAFFIC_SECRET_0",
    "server_application_traffic_secret_0": "SERVER_TRAFFIC_SECRET_0",
    "exporter_master_secret": "EXPORTER_SECRET",
}
# What follows a message where it does not depend on earlier ones (§A.1, §A.2).
NEXT = {
    "": ("client ClientHello",),
    "server HelloRetryRequest": ("client ClientHello",),
    "server ServerHello": ("server EncryptedExtensions",),
    "server CertificateRequest": ("server Certificate",),
    "server Certificate": ("server CertificateVerify",),
    "server CertificateVerify": ("server Finished",),
    "client EndOfEarlyData": ("client Finished",),
    "client CertificateVerify": ("client Finished",),
}
AFTER_THE_HANDSHAKE = ("NewSessionTicket", "KeyUpdate")  # §4.6; they are in no transcript
_EARLY_DATA = 42  # the type of an extension


@dataclass(frozen=True, repr=False)
class GivenSecrets:
    """What the dissector was given to derive secrets from, besides those of the key log."""

    shared_secret: bytes
    psk: bytes
    external: bool


class HandshakeState:
    """Takes message after message; raises a DissectionError at the first that is wrong.

    labels: for each side, the key-log label of the secret under which it protects its records now;
    "" while it does not protect them.
    """

    def __init__(
        self, secrets: Mapping[str, bytes], given: GivenSecrets, suite: CipherSuite | None
    ) -> None:
        self.secrets = dict(secrets)
        self.suite = suite
        self.labels = {"client": "", "server": ""}
        self.last = ""
        self.group = ""
        self.server_name = ""
        self.certificates: dict[str, tuple[CertificateSummary, ...]] = {}
        self.verified: list[str] = []
        self.key_schedule: Trace[Secrets] | None = None
        self._given = given
        self._transcript: list[bytes] = []
        self._fields: dict[str, Sequence[WireField]] = {}
        self._updates = {"client": 0, "server": 0}
        self._retried = False
        self._resumed = False
        self._offered_early = False
        self._accepted_early = False

    @property
    def is_over(self) -> bool:
        """Whether both sides have sent their Finished."""
        return self.last == "client Finished"

    def take(
        self, sender: str, name: str, data: bytes, fields: Sequence[WireField]
    ) -> Trace[object] | None:
        """Take the next message. Returns how it was verified, if there is something to verify."""
        step = f"{sender} {name}"
        if name in AFTER_THE_HANDSHAKE:
            self._after_the_handshake(sender, name)
            return None
        expected = self._expected()
        if step not in expected:
            wanted = " or ".join(expected) or "no message"
            raise MalformedCapture(step, f"it came where {wanted} was expected")
        self._fields[step] = fields
        check = None
        # Both cover the transcript before them, so they are verified before it grows.
        if name == "CertificateVerify":
            check = self._verify_signature(sender, self.transcript_hash())
        elif name == "Finished":
            check = self._verify_finished(sender, self.transcript_hash())
        self._transcript.append(data)
        self.last = step
        self._act(sender, name)
        return check

    def transcript_hash(self) -> bytes:
        """The hash of all messages so far; b"" until a suite says which hash to use."""
        if self.suite is None:
            return b""
        return Transcript_Hash(self.suite.hash, *self._transcript).result

    def secret(self, label: str) -> bytes:
        """Return the secret of that label.

        Raises MalformedCapture when it was not given, or has the wrong length.
        """
        if label not in self.secrets or not self.suite:
            raise MalformedCapture(
                f"secret {label}", "it is needed here, and the capture does not hold it"
            )
        if len(self.secrets[label]) != self.suite.hash_length:
            raise MalformedCapture(f"secret {label}", f"it must be {self.suite.hash_length} bytes")
        return self.secrets[label]

    def _expected(self) -> tuple[str, ...]:
        """The messages that may come now (§4, §A.1, §A.2)."""
        expected: tuple[str, ...] = NEXT.get(self.last, ())
        match self.last:
            case "client ClientHello" if self._retried:
                expected = ("server ServerHello",)
            case "client ClientHello":
                expected = ("server ServerHello", "server HelloRetryRequest")
            case "server EncryptedExtensions" if self._resumed:
                # The PSK authenticates the server in place of a certificate.
                expected = ("server Finished",)
            case "server EncryptedExtensions":
                expected = ("server CertificateRequest", "server Certificate")
            case "server Finished" if self._accepted_early:
                expected = ("client EndOfEarlyData",)
            case "server Finished" if "server CertificateRequest" in self._fields:
                expected = ("client Certificate",)
            case "server Finished":
                expected = ("client Finished",)
            case "client Certificate" if self.certificates.get("client"):
                expected = ("client CertificateVerify",)
            case "client Certificate":
                # It may be empty (§4.4.2), and then there is no key to sign with.
                expected = ("client Finished",)
        return expected

    def _act(self, sender: str, name: str) -> None:
        """Apply what a message changes: suite and group, and whose secret is in use."""
        match f"{sender} {name}":
            case "client ClientHello":
                self._client_hello()
            case "server HelloRetryRequest":
                self._retried = True
                self._offered_early = False
                self.labels["client"] = ""
            case "server ServerHello":
                self._server_hello()
            case "server EncryptedExtensions":
                agreed = self._has_extension("server EncryptedExtensions", _EARLY_DATA)
                self._accepted_early = self._offered_early and agreed
                if not self._accepted_early:
                    self.labels["client"] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
            case "client EndOfEarlyData":
                self.labels["client"] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
            case "server Certificate" | "client Certificate":
                self._certificate(sender)
            case "server Finished" | "client Finished":
                self.labels[sender] = f"{sender.upper()}_TRAFFIC_SECRET_0"
                self._derive()

    def _client_hello(self) -> None:
        host = self._find("client ClientHello", "HostName")
        self.server_name = str(host.value) if host else ""
        self._offered_early = self._has_extension("client ClientHello", _EARLY_DATA)
        if self._offered_early and self._retried:
            raise MalformedCapture(
                "client ClientHello", "early data may not be offered a second time (§4.2.10)"
            )
        if self._offered_early:
            self.labels["client"] = "CLIENT_EARLY_TRAFFIC_SECRET"
            self._derive()

    def _server_hello(self) -> None:
        version = self._find("server ServerHello", "selected_version")
        if version is None or version.data != b"\x03\x04":
            raise MalformedCapture("server ServerHello", "it does not choose TLS 1.3")
        suite = self._find("server ServerHello", "cipher_suite")
        before = self._find("server HelloRetryRequest", "cipher_suite")
        self.suite = SUITES.get(int.from_bytes(suite.data, "big")) if suite else None
        if suite is None or self.suite is None or (before and before.data != suite.data):
            raise MalformedCapture(
                "server ServerHello", "its cipher suite is not one of TLS 1.3's, or has changed"
            )
        self._check_what_was_offered()
        group = self._find("server ServerHello", "server_share.group")
        self.group = str(group.value) if group else ""
        self._resumed = self._find("server ServerHello", "selected_identity") is not None
        self._check_binder()
        self.labels["server"] = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
        if not self._offered_early:
            self.labels["client"] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
        self._derive()

    def _check_what_was_offered(self) -> None:
        """A server chooses from what the client offered, and sends its session id back.

        §4.1.3, §4.2.8.
        """
        hello = self._fields["client ClientHello"]
        for choice, offer in (
            ("cipher_suite", ".cipher_suites["),
            ("server_share.group", ".client_shares["),
        ):
            chosen = self._find("server ServerHello", choice)
            offered = [each.data for each in hello if offer in each.path]
            if chosen and chosen.data not in offered:
                raise MalformedCapture(
                    "server ServerHello",
                    f"it chooses a {chosen.name} that the client did not offer",
                )
        sent = self._find("client ClientHello", "_session_id")
        echo = self._find("server ServerHello", "_session_id_echo")
        if (sent.data if sent else b"") != (echo.data if echo else b""):
            raise MalformedCapture(
                "server ServerHello", "it does not send back the client's legacy_session_id"
            )

    def _certificate(self, sender: str) -> None:
        step = f"{sender} Certificate"
        chain = tuple(each.value for each in self._fields[step] if each.kind == "certificate")
        self.certificates[sender] = cast("tuple[CertificateSummary, ...]", chain)
        if not chain and sender == "server":
            raise MalformedCapture(step, "a server must show a certificate (§4.4.2)")

    def _after_the_handshake(self, sender: str, name: str) -> None:
        is_clients_ticket = (sender, name) == ("client", "NewSessionTicket")
        if not self.is_over or is_clients_ticket:
            raise MalformedCapture(
                f"{sender} {name}", "it came before the handshake was over, or from the wrong side"
            )
        if name == "KeyUpdate" and self.suite:
            secret = next_traffic_secret(self.suite.hash, self.secret(self.labels[sender])).result
            self._updates[sender] += 1
            self.labels[sender] = f"{sender.upper()}_TRAFFIC_SECRET_{self._updates[sender]}"
            self._keep(self.labels[sender], secret)

    # --- what is verified ---

    def _verify_signature(self, sender: str, transcript_hash: bytes) -> Trace[object]:
        step = f"{sender} CertificateVerify"
        algorithm = self._find(step, "algorithm")
        signature = self._find(step, "signature")
        if algorithm is None or signature is None:
            raise MalformedCapture(step, "it lacks its algorithm or its signature")
        scheme = int.from_bytes(algorithm.data, "big")
        certificate = self.certificates[sender][0]
        check = check_signature(sender, certificate.der, scheme, signature.data, transcript_hash)
        self.verified.append(f"{step}: {check.result} by {certificate.subject}")
        return check

    def _verify_finished(self, sender: str, transcript_hash: bytes) -> Trace[object]:
        seen = Recorder()
        step = f"{sender} Finished"
        shown = self._find(step, "verify_data")
        base_key = self.secret(f"{sender.upper()}_HANDSHAKE_TRAFFIC_SECRET")
        seen(f"{sender}_handshake_traffic_secret", base_key)
        wanted = seen.include("", verify_data(self._suite.hash, base_key, transcript_hash))
        if shown is None or not hmac.compare_digest(wanted, shown.data):
            why = "it is not the MAC of the transcript under this side's secret"
            raise WrongFinished(step, why)
        count = len(self._transcript)
        self.verified.append(f"{step}: the MAC of the {count} messages before it")
        return seen.trace(wanted)

    def _check_binder(self) -> None:
        """Verify the binder, a MAC over the ClientHello under the PSK (§4.2.11.2)."""
        chosen = self._find("server ServerHello", "selected_identity")
        if chosen is None or not self._given.psk:
            return
        index = int.from_bytes(chosen.data, "big")
        binder = self._find("client ClientHello", f"binders[{index}]")
        start = self._find("client ClientHello", "binders.length")
        # The MAC covers the ClientHello up to the list of binders, which is at its end.
        hello = self._transcript[-2]
        truncated = hello[: start.offset if start else 0]
        hashed = Transcript_Hash(self._suite.hash, *self._transcript[:-2], truncated).result
        given = self._given
        early = key_schedule(self._suite.hash, [], psk=given.psk, external=given.external)
        wanted = verify_data(self._suite.hash, early["binder_key"], hashed).result
        if binder is None or not hmac.compare_digest(wanted, binder.data):
            raise WrongFinished("PSK binder", "it is not the MAC of the ClientHello under the PSK")
        self.verified.append("PSK binder: the MAC of the ClientHello up to it")

    # --- what is derived ---

    def _derive(self) -> None:
        """Derive every secret that can be derived. Those in the key log as well must be equal."""
        given = self._given
        if self.suite is None or not (given.shared_secret or given.psk):
            return
        said_hello = "server ServerHello" in self._fields
        if said_hello and self._resumed and not given.psk:
            why = "it is needed too: this connection was resumed, and its secrets come from both"
            raise MalformedCapture("psk", why)
        # Before the ServerHello it is open whether the PSK is used; early data uses it in any case.
        psk = given.psk if self._resumed or not said_hello else b""
        # With a group but without its shared secret, only the secrets of early data can be derived.
        has_all = given.shared_secret or not self.group
        messages = self._transcript if has_all else self._transcript[:1]
        self.key_schedule = key_schedule(
            self.suite.hash,
            messages,
            shared_secret=given.shared_secret,
            psk=psk,
            external=given.external,
        )
        for name, value in self.key_schedule.result.items():
            if name in KEY_LOG_LABELS:
                self._keep(KEY_LOG_LABELS[name], value)

    def _keep(self, label: str, value: bytes) -> None:
        if not hmac.compare_digest(self.secrets.setdefault(label, value), value):
            raise WrongSecret(f"secret {label}", "it is not the one that the handshake derives")

    # --- looking things up ---

    @property
    def _suite(self) -> CipherSuite:
        if self.suite is None:
            raise MalformedCapture(
                "server ServerHello", "it is missing: nothing says which suite is used"
            )
        return self.suite

    def _find(self, step: str, path_end: str) -> WireField | None:
        for each in self._fields.get(step, ()):
            if each.path.endswith(path_end):
                return each
        return None

    def _has_extension(self, step: str, code: int) -> bool:
        for each in self._fields.get(step, ()):
            if each.name == "extension_type" and int.from_bytes(each.data, "big") == code:
                return True
        return False
