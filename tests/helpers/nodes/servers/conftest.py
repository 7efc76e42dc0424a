"""Servers that the tests of this folder share."""

from __future__ import annotations

import pytest

from tests.support.redis_servers import FLAVOURS, launch


@pytest.fixture(scope="module", params=FLAVOURS)
def lasting(request):
    with launch(request.param, 2) as servers:
        yield servers


@pytest.fixture(scope="module")
def tls_servers():
    with launch("system-tls", 1) as servers:
        yield servers


@pytest.fixture(params=FLAVOURS)
def servers(request):
    with launch(request.param, 2) as started:
        yield started
