"""Tests lepton_lab.show.tls_key_schedule: the live secrets are in the picture, shortened."""

from __future__ import annotations

from types import SimpleNamespace

from lepton_lab import show, tls
from lepton_lab.textbook.protocols import tls13 as tb_tls13


def test_every_secret_of_the_key_log_and_every_key_made_of_it_is_named() -> None:
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue("server.test"), ca)
    client = tls.client_context(ca, ca.issue("alice", client=True))
    dissection = tb_tls13.dissect(tls.record_handshake(server, client, "server.test"))
    picture = show.key_schedule(dissection)
    for label, secret in dissection.secrets.items():
        if label in (
            "EXPORTER_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        ):
            assert secret[:4].hex(" ") in picture.text
        assert secret.hex() not in picture.text.replace(" ", "")  # shown by its beginning alone
    key, iv = tb_tls13.traffic_keys(
        dissection.suite, dissection.secrets["SERVER_TRAFFIC_SECRET_0"]
    ).result
    assert f"its key {key[:4].hex(' ')}" in picture.text
    assert f"its iv {iv[:4].hex(' ')}" in picture.text
    assert picture.svg.startswith(b"<?xml")


def test_what_is_not_in_the_key_log_is_said() -> None:
    nothing = SimpleNamespace(secrets={}, records=())
    assert show.key_schedule(nothing).text.count("not in the key log") == 5
