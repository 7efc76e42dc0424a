"""A server that speaks MongoDB's wire protocol: the one that LEPTON_LAB_MONGODB names, else
nx-27017 on SQLite.

No MongoDB can be had from PyPI. nx-27017 is an experiment that knows a part of the protocol; it
stores and finds documents as pymongo asks for them over a real socket, which is what these tests
need. The figures and the durability of MongoDB itself are not shown by it.
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
    """Its URL for `open_nodes`, with a database of its own."""
    pymongo = pytest.importorskip("pymongo", reason="optional peer: pip install pymongo")
    database = f"lepton_{secrets.token_hex(6)}"
    if real := os.environ.get("LEPTON_LAB_MONGODB"):  # mongodb://user:password@host:27017
        yield f"{real}/{database}"
        with pymongo.MongoClient(real) as client:
            client.drop_database(database)
        return
    if importlib.util.find_spec("nx_27017") is None:
        pytest.skip("optional peer: pip install nx-27017, or name a server in LEPTON_LAB_MONGODB")
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("wb") as said:
        port = _free_port()
        places = [
            "--db",
            f"{folder}/db",
            "--log-file",
            f"{folder}/log",
            "--pid-file",
            f"{folder}/pid",
        ]
        program = [
            sys.executable,
            "-c",
            "from nx_27017.nx_27017 import main; main()",
            *places,
            "-p",
            str(port),
        ]
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
