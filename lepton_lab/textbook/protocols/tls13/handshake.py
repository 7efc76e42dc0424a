"""The handshake as it goes on: which message may come, what it changes, and what it proves (RFC 8446 §2, §4, §A)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lepton_lab.textbook.protocols.tls13.certificates import CertificateSummary, check_signature
from lepton_lab.textbook.protocols.tls13.errors import MalformedCapture, WrongFinished, WrongSecret
from lepton_lab.textbook.protocols.tls13.fields import Field
from lepton_lab.textbook.protocols.tls13.key_schedule import (
    Secrets,
    Transcript_Hash,
    key_schedule,
    next_traffic_secret,
    verify_data,
)
from lepton_lab.textbook.protocols.tls13.suites import SUITES, CipherSuite
from lepton_lab.textbook.trace import Recorder, Trace

KEY_LOG_LABELS = {  # what RFC 9850 §2 calls the secrets of RFC 8446 §7.1
    "client_early_traffic_secret": "CLIENT_EARLY_TRAFFIC_SECRET",
    "early_exporter_master_secret": "EARLY_EXPORTER_SECRET",
    "client_handshake_traffic_secret": "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "server_handshake_traffic_secret": "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "client_application_traffic_secret_0": "CLIENT_TRAFFIC_SECRET_0",
    "server_application_traffic_secret_0": "SERVER_TRAFFIC_SECRET_0",
    "exporter_master_secret": "EXPORTER_SECRET",
}
NEXT = {  # what follows where earlier messages leave no choice (§A.1, §A.2)
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


@dataclass(frozen=True, repr=False)
class Given:
    """What the dissector was given to derive secrets from, beside those of the key log."""

    shared_secret: bytes
    psk: bytes
    external: bool


class Handshake:
    """Takes message after message; raises a DissectionError at the first that may not come, or does not hold.

    `labels`: the key-log label of the secret under which each side protects its records now, "" before it does.
    """

    def __init__(
        self, secrets: Mapping[str, bytes], given: Given, suite: CipherSuite | None
    ) -> None:
        self.secrets, self._given, self.suite = dict(secrets), given, suite
        self.labels = {"client": "", "server": ""}
        self.last, self.group, self.server_name = "", "", ""
        self.certificates: dict[str, tuple[CertificateSummary, ...]] = {}
        self.verified: list[str] = []
        self.key_schedule: Trace[Secrets] | None = None
        self._transcript: list[bytes] = []
        self._fields: dict[str, Sequence[Field]] = {}
        self._updates = {"client": 0, "server": 0}
        self._retried = self._resumed = self._offered_early = self._accepted_early = False

    @property
    def is_over(self) -> bool:
        """Whether both sides have sent their Finished."""
        return self.last == "client Finished"

    def take(
        self, sender: str, name: str, data: bytes, fields: Sequence[Field]
    ) -> Trace[object] | None:
        """The next message; how it was verified, where there is something to verify."""
        step = f"{sender} {name}"
        if name in AFTER_THE_HANDSHAKE:
            self._after_the_handshake(sender, name)
            return None
        if step not in (expected := self._expected()):
            raise MalformedCapture(
                step, f"it came where {' or '.join(expected) or 'no message'} was expected"
            )
        self._fields[step] = fields
        check = self._verify(sender, name) if name in ("CertificateVerify", "Finished") else None
        self._transcript.append(data)
        self.last = step
        self._act(sender, name)
        return check

    def transcript_hash(self) -> bytes:
        """Of all messages so far; b"" while no suite says which hash."""
        return Transcript_Hash(self.suite.hash, *self._transcript).result if self.suite else b""

    def secret(self, label: str) -> bytes:
        """The secret of that label. Raises MalformedCapture when nobody gave it, or not whole."""
        if label not in self.secrets or not self.suite:
            raise MalformedCapture(
                f"secret {label}", "it is needed here, and the capture does not hold it"
            )
        if len(self.secrets[label]) != self.suite.hash_length:
            raise MalformedCapture(f"secret {label}", f"it must be {self.suite.hash_length} bytes")
        return self.secrets[label]

    def _expected(self) -> tuple[str, ...]:
        """What may come now (§4, §A.1, §A.2)."""
        early, certificate = "client EndOfEarlyData", "client Certificate"
        was_requested = "server CertificateRequest" in self._fields
        choices = {
            "client ClientHello": (
                "server ServerHello",
                *(() if self._retried else ("server HelloRetryRequest",)),
            ),
            "server EncryptedExtensions": (
                ("server Finished",)
                if self._resumed
                else ("server CertificateRequest", "server Certificate")
            ),
            "server Finished": (
                early
                if self._accepted_early
                else certificate
                if was_requested
                else "client Finished",
            ),
            "client Certificate": (
                "client CertificateVerify"
                if self.certificates.get("client")
                else "client Finished",
            ),
        }
        return choices.get(self.last, NEXT.get(self.last, ()))

    def _act(self, sender: str, name: str) -> None:
        """What a message changes: suite and group, whose secret is in use, what is expected."""
        match f"{sender} {name}":
            case "client ClientHello":
                self._client_hello()
            case "server HelloRetryRequest":
                self._retried, self._offered_early, self.labels["client"] = True, False, ""
            case "server ServerHello":
                self._server_hello()
            case "server EncryptedExtensions":
                self._accepted_early = self._offered_early and self._has_extension(
                    "server EncryptedExtensions", 42
                )
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
        self._offered_early = self._has_extension("client ClientHello", 42)
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
        suite, before = (
            self._find(f"server {each}", "cipher_suite")
            for each in ("ServerHello", "HelloRetryRequest")
        )
        self.suite = SUITES.get(int.from_bytes(suite.data, "big")) if suite else None
        if suite is None or self.suite is None or (before and before.data != suite.data):
            raise MalformedCapture(
                "server ServerHello", "its cipher suite is none of TLS 1.3's, or changed on the way"
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
        """A server chooses from what the client has offered, and sends its session id back (§4.1.3, §4.2.8)."""
        hello = self._fields["client ClientHello"]
        for choice, offer in (
            ("cipher_suite", ".cipher_suites["),
            ("server_share.group", ".client_shares["),
        ):
            chosen = self._find("server ServerHello", choice)
            if chosen and chosen.data not in [each.data for each in hello if offer in each.path]:
                raise MalformedCapture(
                    "server ServerHello",
                    f"it chooses a {chosen.name} that the client did not offer",
                )
        sent, echo = (
            self._find("client ClientHello", "_session_id"),
            self._find("server ServerHello", "_session_id_echo"),
        )
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
        if not (self.is_over and (sender, name) != ("client", "NewSessionTicket")):
            raise MalformedCapture(
                f"{sender} {name}", "it came before the handshake was over, or from the wrong side"
            )
        if name == "KeyUpdate" and self.suite:
            secret = next_traffic_secret(self.suite.hash, self.secret(self.labels[sender])).result
            self._updates[sender] += 1
            self.labels[sender] = f"{sender.upper()}_TRAFFIC_SECRET_{self._updates[sender]}"
            self._keep(self.labels[sender], secret)

    # --- what is verified ---

    def _verify(self, sender: str, name: str) -> Trace[object]:
        verify = self._verify_signature if name == "CertificateVerify" else self._verify_finished
        return verify(sender, self.transcript_hash())

    def _verify_signature(self, sender: str, transcript_hash: bytes) -> Trace[object]:
        algorithm, signature = (
            self._find(f"{sender} CertificateVerify", end) for end in ("algorithm", "signature")
        )
        if algorithm is None or signature is None:
            raise MalformedCapture(
                f"{sender} CertificateVerify", "it lacks its algorithm or its signature"
            )
        scheme = int.from_bytes(algorithm.data, "big")
        der = self.certificates[sender][0].der
        check = check_signature(sender, der, scheme, signature.data, transcript_hash)
        self.verified.append(
            f"{sender} CertificateVerify: {check.result} by {self.certificates[sender][0].subject}"
        )
        return check

    def _verify_finished(self, sender: str, transcript_hash: bytes) -> Trace[object]:
        seen, shown = Recorder(), self._find(f"{sender} Finished", "verify_data")
        base_key = self.secret(f"{sender.upper()}_HANDSHAKE_TRAFFIC_SECRET")
        seen(f"{sender}_handshake_traffic_secret", base_key)
        wanted = seen.include("", verify_data(self._suite.hash, base_key, transcript_hash))
        if shown is None or not hmac.compare_digest(wanted, shown.data):
            raise WrongFinished(
                f"{sender} Finished", "it is not the MAC of the transcript under this side's secret"
            )
        self.verified.append(
            f"{sender} Finished: the MAC of the {len(self._transcript)} messages before it"
        )
        return seen.trace(wanted)

    def _check_binder(self) -> None:
        """The MAC over the ClientHello, without its binders, of whoever knows the PSK (§4.2.11.2)."""
        chosen = self._find("server ServerHello", "selected_identity")
        if chosen is None or not self._given.psk:
            return
        index = int.from_bytes(chosen.data, "big")
        binder = self._find("client ClientHello", f"binders[{index}]")
        start = self._find("client ClientHello", "binders.length")
        truncated = [*self._transcript[:-2], self._transcript[-2][: start.offset if start else 0]]
        hashed = Transcript_Hash(self._suite.hash, *truncated).result
        early = key_schedule(
            self._suite.hash, [], psk=self._given.psk, external=self._given.external
        )
        wanted = verify_data(self._suite.hash, early["binder_key"], hashed).result
        if binder is None or not hmac.compare_digest(wanted, binder.data):
            raise WrongFinished("PSK binder", "it is not the MAC of the ClientHello under the PSK")
        self.verified.append("PSK binder: the MAC of the ClientHello up to it")

    # --- what is derived ---

    def _derive(self) -> None:
        """Every secret that what was given allows; those that the key log has too must be equal."""
        given = self._given
        if self.suite is None or not (given.shared_secret or given.psk):
            return
        said_hello = "server ServerHello" in self._fields
        if said_hello and self._resumed and not given.psk:
            raise MalformedCapture(
                "psk",
                "it is needed too: this connection was resumed, and its secrets come from both",
            )
        psk = given.psk if self._resumed or not said_hello else b""
        messages = (
            self._transcript if given.shared_secret or not self.group else self._transcript[:1]
        )
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

    def _find(self, step: str, path_end: str) -> Field | None:
        return next(
            (each for each in self._fields.get(step, ()) if each.path.endswith(path_end)), None
        )

    def _has_extension(self, step: str, code: int) -> bool:
        types = [each for each in self._fields.get(step, ()) if each.name == "extension_type"]
        return any(int.from_bytes(each.data, "big") == code for each in types)
