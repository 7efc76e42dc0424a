"""A server that speaks MongoDB's wire protocol, for the tests of MongoDB nodes.

It is the server that LEPTON_LAB_MONGODB names, or else nx-27017, which keeps its data in SQLite.
PyPI has no MongoDB. nx-27017 is an experiment that knows a part of the protocol: it stores and
finds documents as pymongo asks for them over a real socket, which is what these tests need. It does
not show the speed or the durability of MongoDB itself.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mongo_server() -> Iterator[str]:
    """Give the URL of a new database for `open_nodes`; skip the test without a server."""
    pymongo = pytest.importorskip("pymongo", reason="optional peer: pip install pymongo")
    database = f"lepton_{secrets.token_hex(6)}"
    real = os.environ.get("LEPTON_LAB_MONGODB")  # mongodb://user:password@host:27017
    if real:
        yield f"{real}/{database}"
        with pymongo.MongoClient(real) as client:
            client.drop_database(database)
        return
    if importlib.util.find_spec("nx_27017") is None:
        pytest.skip("optional peer: pip install nx-27017, or name a server in LEPTON_LAB_MONGODB")
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("wb") as said:
        port = _free_port()
        program = [sys.executable, "-c", "from nx_27017.nx_27017 import main; main()"]
        program += ["-p", str(port), "--db", f"{folder}/db"]
        program += ["--log-file", f"{folder}/log", "--pid-file", f"{folder}/pid"]
        process = subprocess.Popen(program, stdout=said, stderr=said, cwd=folder)
        try:
            with pymongo.MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=30_000) as client:
                client.admin.command("ping")
            yield f"mongodb://127.0.0.1:{port}/{database}"
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
