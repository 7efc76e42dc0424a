"""Tests lepton_lab.sharding.workers and lepton_lab.sharding.calls: nodes that hang, lie and raise.

A node in any of these states costs an operation one time-out at most, and never anything else.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import MutableMapping

import pytest

from lepton_lab.errors import LabError, NotEnoughShards, WriteConflict
from lepton_lab.nodes import DirectoryNode, MemoryNode, Node
from lepton_lab.sharding import ShardedStore, workers
from lepton_lab.sharding.codec import StripeCodec
from lepton_lab.sharding.manifest import is_shard
from tests.support.waiting import until

DATA = b"x" * 3000
TIMEOUT = 2.0


class Hostile(MutableMapping):
    """Another library's mapping, whose every call first does what `behave` does.

    What `behave` returns, unless it is None, is returned by reads.
    """

    def __init__(self):
        self.held = {}
        self.behave = lambda call: None

    def __getitem__(self, key):
        answer = self.behave("get")
        return self.held[key] if answer is None else answer

    def __setitem__(self, key, value):
        self.behave("set")
        self.held[key] = value

    def __delitem__(self, key):
        self.behave("delete")
        del self.held[key]

    def __iter__(self):
        self.behave("list")
        return iter(list(self.held))

    def __len__(self):
        return len(self.held)


def raising(error):
    def behave(call):
        raise error

    return behave


def answering(value):
    return lambda call: value if call == "get" else None


class ClientError(Exception):
    """As a cloud's client library has one: of no common base class."""


QUICK = {
    "OSError": raising(OSError(5, "Input/output error")),
    "TimeoutError": raising(TimeoutError()),
    "KeyError": raising(KeyError("x")),
    "sqlite3.OperationalError": raising(sqlite3.OperationalError("disk I/O error")),
    "RuntimeError": raising(RuntimeError("boom")),
    "ClientError": raising(ClientError("503 secret")),
    "ValueError": raising(ValueError("x")),
    "EOFError": raising(EOFError()),
    "MemoryError": raising(MemoryError()),
    "RecursionError": raising(RecursionError()),
    "StopIteration": raising(StopIteration()),
    "SystemExit": raising(SystemExit(1)),
    "str": answering("text"),
    "int": answering(5),
    "list": answering([1]),
    "empty": answering(b""),
    "64 MiB": answering(bytes(64 << 20)),
}
SLOW = {
    "sleeps 3 s": lambda call: time.sleep(3),
    "sleeps for ever": lambda call: time.sleep(10_000),
}


def verbs(store):
    return {
        "get": lambda: store.get("x"),
        "put": lambda: store.put("x", DATA),
        "check": lambda: store.check("x"),
        "repair": lambda: store.repair("x"),
        "names": store.names,
        "delete": lambda: store.delete("x"),
        "put again": lambda: store.put("x", DATA),
        "shred": lambda: store.shred("x"),
    }


def store_with(hostile, ring, **more):
    others = [MemoryNode(f"good-{index}") for index in range(4)]
    return ShardedStore([*others[:1], hostile, *others[1:]], ring, **more)


def times_of(store):
    """Run every verb; return how long each took. All must succeed without the one hostile node."""
    took = {}
    for verb, work in verbs(store).items():
        begun = time.monotonic()
        answer = work()
        took[verb] = time.monotonic() - begun
        if verb == "get":
            assert answer == DATA
    return took


@pytest.mark.parametrize("kind", QUICK)
def test_whatever_one_node_raises_or_returns_the_operation_goes_on(ring, kind):
    hostile = Hostile()
    store = store_with(hostile, ring)
    store.put("x", DATA)
    hostile.behave = QUICK[kind]
    assert max(times_of(store).values()) < 5
    assert "secret" not in str(store.put("y", DATA)) + str(store.check("y"))


@pytest.mark.parametrize("kind", SLOW)
def test_a_node_that_sleeps_costs_an_operation_one_time_out(ring, kind):
    hostile = Hostile()
    store = store_with(hostile, ring, timeout=TIMEOUT)
    store.put("x", DATA)
    hostile.behave = SLOW[kind]
    took = times_of(store)
    assert took["get"] < 4, took
    # Its time-out, what reads wait once, and a machine that is busy with other tests.
    assert max(took.values()) < TIMEOUT + workers.HURRY + 4, took


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*QUICK, *SLOW])
def test_with_the_usual_time_outs_every_verb_ends_within_25_seconds_and_get_within_8(ring, kind):
    hostile = Hostile()
    store = store_with(hostile, ring)
    store.put("x", DATA)
    hostile.behave = (QUICK | SLOW)[kind]
    took = times_of(store)
    assert took["get"] < 8, took
    assert max(took.values()) < 25, took


@pytest.mark.parametrize("first", range(7))
def test_at_whatever_call_a_node_begins_to_hang_a_get_ends_within_8_seconds(ring, first):
    """With the usual time-outs. The node that hangs holds a data shard, so it is asked for it."""

    class Hangs(MemoryNode):
        left = 10**9

        def _count(self):
            self.left -= 1
            if self.left < 0:
                time.sleep(10_000)

        def get_bounded(self, keys, limit):
            self._count()
            return super().get_bounded(keys, limit)

        def read_into(self, key, buffer):
            if is_shard(key):
                self._count()
            return super().read_into(key, buffer)

    hanging = Hangs("hanging")
    store = store_with(hanging, ring, segment=64)
    store.put("x", DATA)
    # It shows another head, so that it is asked for the manifest as well.
    for key in [key for key in hanging if key.endswith("head")]:
        del hanging[key]
    hanging.left = first
    begun = time.monotonic()
    assert store.get("x") == DATA
    assert time.monotonic() - begun < 8


def test_a_node_that_hangs_is_named_with_the_time_it_was_given(ring):
    hostile = Hostile()
    store = store_with(hostile, ring, timeout=TIMEOUT)
    hostile.behave = SLOW["sleeps for ever"]
    assert store.put("x", DATA).lacking == ("node-1",)
    assert store.check("x").nodes["node-1"].unreachable == "no answer within 2 seconds"


def test_with_too_many_nodes_that_hang_the_error_names_them_after_one_time_out(ring):
    nodes = [Hostile() for _ in range(5)]
    store = ShardedStore(nodes, ring, timeout=TIMEOUT)
    store.put("x", DATA)
    for node in nodes[:3]:
        node.behave = SLOW["sleeps for ever"]
    begun = time.monotonic()
    with pytest.raises(NotEnoughShards) as error:
        store.get("x")
    assert time.monotonic() - begun < 3 * TIMEOUT
    assert set(error.value.failures) >= {"node-0", "node-1", "node-2"}


def test_calls_that_never_return_are_bounded_and_a_node_that_wakes_is_used_again(ring):
    hostile, awake = Hostile(), threading.Event()
    store = store_with(hostile, ring, timeout=0.2)
    store.put("x", DATA)
    hostile.behave = lambda call: awake.wait(60) and None
    for _ in range(workers.MOST_STUCK + 3):
        store.put("x", DATA)
    assert len(store._stuck[1]) == workers.MOST_STUCK
    assert store.check("x").nodes["node-1"].unreachable == "4 earlier calls have not returned"
    awake.set()
    until(lambda: not any(thread.is_alive() for thread in store._stuck[1]))
    store.repair("x")
    assert store.check("x").intact


def test_a_node_that_hangs_does_not_keep_the_interpreter_from_exiting(tmp_path):
    code = """
import sys, time
from pathlib import Path
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import MemoryNode
from lepton_lab.sharding import ShardedStore

class Hanging(MemoryNode):
    def get_bounded(self, keys, limit):
        time.sleep(10_000)

ring = KeyRing.create(Path(sys.argv[1]) / "ring", "a passphrase", scrypt_n=1 << 14)
store = ShardedStore([Hanging(), *(MemoryNode() for _ in range(4))], ring, timeout=1)
store.put("x", b"data")
print(store.get("x"))
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr, run.returncode) == ("b'data'\n", "", 0)


def test_an_abandoned_call_that_writes_to_its_buffer_later_harms_nothing(ring, monkeypatch):
    """It keeps the buffer, and fills it with garbage while other stripes are being read."""
    stop = threading.Event()
    honest = StripeCodec.decrypt

    def slow(*arguments):
        time.sleep(0.02)  # long enough for the garbage to come
        return honest(*arguments)

    monkeypatch.setattr(StripeCodec, "decrypt", slow)

    class Late(MemoryNode):
        late = False

        def read_into(self, key, buffer):
            if not self.late or not is_shard(key):
                return super().read_into(key, buffer)
            while not stop.wait(0.001):
                buffer[:] = os.urandom(len(buffer))
            return len(buffer)

    nodes = [Late("late"), *(MemoryNode(f"good-{index}") for index in range(4))]
    store = ShardedStore(nodes, ring, segment=4096, timeout=TIMEOUT)
    data = os.urandom(3 * (4096 - 16) * 12)
    store.put("x", data)
    nodes[0].late = True
    try:
        assert store.get("x") == data
        assert store.repair("x").unreachable.keys() == {"late"}
        assert store.get("x") == data
        assert {node.altered for node in store.check("x").nodes.values()} == {0}
    finally:
        stop.set()


def test_a_node_that_sends_an_abandoned_buffer_later_gets_nothing_but_what_it_was_given(ring):
    sent, go_on = {}, threading.Event()

    class Late(MemoryNode):
        def write(self, key, buffer):
            go_on.wait(30)
            sent[key] = bytes(buffer)

    nodes = [*(MemoryNode(f"good-{index}") for index in range(4)), Late("late")]
    store = ShardedStore(nodes, ring, segment=4096, timeout=1)
    assert store.put("x", os.urandom(3 * (4096 - 16) * 9)).lacking == ("late",)
    go_on.set()
    until(lambda: sent)
    (key,) = sent  # the one call that was under way; those behind it were dropped
    nodes[4]._values[key] = sent[key]
    assert store.check("x").nodes["late"].good == 1


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("bad block")])
def test_one_value_that_cannot_be_read_is_one_bad_shard_and_not_a_dead_node(ring, error):
    class BadBlock(dict):
        bad = None

        def __getitem__(self, key):
            if key == self.bad:
                raise error
            return super().__getitem__(key)

    nodes = [BadBlock() for _ in range(5)]
    store = ShardedStore(nodes, ring, segment=64)
    store.put("x", DATA)
    nodes[0].bad = sorted(key for key in nodes[0] if is_shard(key))[3]
    assert store.get("x") == DATA
    health = store.check("x").nodes["node-0"]
    stripes = store.check("x").stripes
    assert (health.good, health.altered, health.unreachable) == (stripes - 1, 1, None)
    assert store.repair("x").rebuilt == {"node-0": 1}


@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "link to a device"])
def test_what_is_not_a_file_in_a_shards_place_is_one_bad_shard(ring, tmp_path, kind):
    nodes = [DirectoryNode(tmp_path / f"node-{index}", sync=False) for index in range(5)]
    store = ShardedStore(nodes, ring, timeout=TIMEOUT)
    store.put("x", DATA)
    shards = [path for path in (tmp_path / "node-0").rglob("*=") if path.name == "00="]
    (place,) = shards
    place.unlink()
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if kind == "link to a device" else "/etc/passwd")
    begun = time.monotonic()
    assert store.get("x") == DATA
    health = next(iter(store.check("x").nodes.values()))
    assert (health.altered, health.unreachable) == (1, None)
    assert sum(store.repair("x").rebuilt.values()) == 1
    assert store.check("x").intact
    assert store.put("y", DATA).lacking == ()
    assert time.monotonic() - begun < 10


def test_set_if_absent_counts_only_true(ring):
    class Odd(MemoryNode):
        answer: object = 5

        def set_if_absent(self, key, value):
            return self.answer

    class Taken(MemoryNode):
        def set_if_absent(self, key, value):
            return False

    for answer in (5, "yes", [1], None, -3):
        odd = Odd()
        odd.answer = answer
        store = ShardedStore([odd, *(Taken() for _ in range(4))], ring)
        with pytest.raises((WriteConflict, NotEnoughShards)):
            store.put("x", DATA)


def test_a_session_that_fails_or_hangs_is_its_nodes_failure(ring):
    class Fails(MemoryNode):
        def session(self):
            raise ClientError("no connection")

    class Hangs(MemoryNode):
        def session(self):
            time.sleep(10_000)

    good = [MemoryNode(f"good-{index}") for index in range(3)]
    store = ShardedStore([Fails("fails"), Hangs("hangs"), *good], ring, k=2, timeout=1)
    assert set(store.put("x", DATA).lacking) == {"fails", "hangs"}
    assert store.get("x") == DATA


class Wrong(Node):
    """A node class of the user's whose faster methods answer out of their types."""

    name = "wrong"

    def __init__(self, answer):
        self.answer = answer
        self.held = {}

    def __getitem__(self, key):
        return self.held[key]

    def __setitem__(self, key, value):
        self.held[key] = bytes(value)

    def __delitem__(self, key):
        del self.held[key]

    def __iter__(self):
        return iter(list(self.held))

    def get_bounded(self, keys, limit):
        return self.answer

    def read_into(self, key, buffer):
        return self.answer

    def keys_with_prefix(self, prefix):
        return self.answer


@pytest.mark.parametrize("answer", [None, 5, "x", [], [5], ["x"] * 8, [b"x"], {}, -1, [None] * 8])
def test_answers_out_of_their_type_are_the_nodes_failure(ring, answer):
    store = ShardedStore([Wrong(answer), *(MemoryNode() for _ in range(4))], ring)
    store.put("x", DATA)
    assert store.get("x") == DATA
    store.check("x")
    store.repair("x")
    store.shred("x")


def test_an_error_of_our_own_in_a_worker_is_raised_in_the_operation(ring, monkeypatch):
    def defect(*_):
        raise ZeroDivisionError

    store = store_with({}, ring)
    with monkeypatch.context() as patch:
        patch.setattr(StripeCodec, "authenticate", defect)
        with pytest.raises(ZeroDivisionError):
            store.put("x", DATA)
    store.put("x", DATA)
    monkeypatch.setattr(StripeCodec, "is_authentic", defect)
    with pytest.raises(ZeroDivisionError):
        store.get("x")


def test_an_interruption_while_a_thread_starts_is_passed_on(ring, monkeypatch):
    class Interrupted(threading.Thread):
        def start(self):
            if self.name == "node 2":
                raise KeyboardInterrupt
            super().start()

    store = ShardedStore([MemoryNode(f"node {number}") for number in range(5)], ring)
    with monkeypatch.context() as patch:
        patch.setattr(workers, "Thread", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.put("x", DATA)
    store.put("x", DATA)
    assert store.get("x") == DATA


def test_no_thread_is_left_behind_by_nodes_that_answer(ring):
    store = store_with(MemoryNode(), ring)
    before = threading.active_count()
    for verb, work in verbs(store).items():
        if verb == "get":
            store.put("x", DATA)
        work()
        assert threading.active_count() == before, verb


def test_every_error_of_a_verb_is_a_lab_error_when_all_nodes_are_hostile(ring):
    for kind, behave in QUICK.items():
        nodes = [Hostile() for _ in range(5)]
        store = ShardedStore(nodes, ring)
        store.put("x", DATA)
        for node in nodes:
            node.behave = behave
        for verb, work in verbs(store).items():
            if verb not in ("names", "shred"):
                with pytest.raises(LabError):
                    pytest.fail(f"{kind}, {verb}: {work()}")
