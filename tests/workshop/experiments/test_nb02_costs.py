"""Tests lepton_lab.workshop.experiments.nb02_costs: what the reference run timed is timed."""

from __future__ import annotations

import pytest

from lepton_lab import data, rsa
from lepton_lab.workshop.experiments import nb02_costs as rsa_costs


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(2048)


def test_what_is_measured_of_rsa_is_what_the_reference_run_measured(
    private: rsa.RSAPrivateKey,
) -> None:
    names = [row["name"] for row in data.reference("rsa")["rows"]]
    assert {f"{name}: RSA-2048" for name in rsa_costs.operations(2048)} <= set(names)
    assert {f"{name}: RSA-3072" for name in rsa_costs.decryptions(private)} <= set(names)
    assert {f"{form} decrypt: 1024 bytes" for form in rsa_costs.forms(private, 1024)} <= set(names)


def test_both_forms_give_the_message_back_whole(private: rsa.RSAPrivateKey) -> None:
    for length in (1, 190, 191, 1000):
        assert [work() for work in rsa_costs.forms(private, length).values()] == [bytes(length)] * 2


def test_the_textbook_decrypts_to_the_padded_block_of_what_the_helper_reads(
    private: rsa.RSAPrivateKey,
) -> None:
    helper, by_crt, whole = (work() for work in rsa_costs.decryptions(private).values())
    assert helper == bytes(32)
    assert by_crt.result == whole.result != 0
    assert rsa_costs.operations(2048)["decrypt"]() == bytes(32)
