"""Tests lepton_lab.sharding.placement and lepton_lab.sharding.rebalance.

There are more nodes than shards: where objects go, how they are found when the list of nodes has
changed, and how they move.
"""

from __future__ import annotations

import io
import itertools
import threading

import pytest

from lepton_lab.errors import InvalidParameter, NotEnoughShards, NotFound, StaleVersion
from lepton_lab.nodes import DirectoryNode, MemoryNode
from lepton_lab.sharding import ShardedStore, commit
from lepton_lab.sharding.manifest import is_shard
from lepton_lab.sharding.versions import Versions
from lepton_lab.textbook.primitives import placement as textbook
from tests.support.power_cut import PowerCut, limit_writes
from tests.support.switched_node import SwitchedNode

K, N = 3, 5
SEGMENT = 64  # bytes, so that a small object has many stripes
DATA = bytes(range(251)) * 3
STRIPES = -(-len(DATA) // (K * (SEGMENT - 16)))


def mortals(count):
    return [SwitchedNode(f"node-{index}") for index in range(count)]


def open_store(nodes, ring, **more):
    return ShardedStore(nodes, ring, **({"k": K, "n": N, "segment": SEGMENT} | more))


def shards_on(node):
    return {key for key in node if is_shard(key)}


def holders(nodes):
    """For each object id the names of the nodes with any of its shards."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        for key in shards_on(node):
            found.setdefault(key.split("/")[0], set()).add(node.name)
    return found


# --- who gets what --------------------------------------------------------------------------------


def test_every_object_goes_to_the_n_nodes_that_the_textbook_names(ring):
    nodes = mortals(9)
    vault = open_store(nodes, ring)
    for number in range(20):
        vault.put(f"object {number}", DATA)
    names = [node.name for node in nodes]
    for object_id, found in holders(nodes).items():
        assert found == set(textbook.place(object_id, names, N))
    assert {name for found in holders(nodes).values() for name in found} == set(names)


def test_the_order_of_the_list_does_not_matter_where_nodes_have_names(ring):
    nodes = mortals(8)
    open_store(nodes, ring).put("x", DATA)
    shuffled = open_store(nodes[::-1], ring)
    assert shuffled.get("x") == DATA
    assert shuffled.rebalance().shards == 0
    assert shuffled.check("x").intact


def test_nodes_without_a_name_are_known_by_their_place(ring):
    nodes = [{} for _ in range(7)]
    vault = open_store(nodes, ring)
    vault.put("x", DATA)
    (found,) = holders(list(vault.nodes)).values()
    assert found == set(
        textbook.place(next(iter(holders(vault.nodes))), [f"node-{i}" for i in range(7)], N)
    )
    assert vault.get("x") == DATA


def test_a_foreign_mapping_keeps_the_name_that_it_has(ring):
    class Named(dict):
        name = "in the cellar"

    assert [node.name for node in ShardedStore([Named(), {}], ring, k=1).nodes] == [
        "in the cellar",
        "node-1",
    ]


def test_a_node_may_be_renamed_or_moved_in_the_list_where_all_have_a_part(ring):
    nodes = mortals(5)
    ShardedStore(nodes, ring, segment=SEGMENT).put("x", DATA)
    for node in nodes:
        node.name = "renamed " + node.name
    vault = ShardedStore([nodes[index] for index in (3, 0, 4, 2, 1)], ring)
    for dead in itertools.combinations(range(5), 2):
        for index, node in enumerate(nodes):
            node.dead = index in dead
        assert vault.get("x") == DATA
    for node in nodes:
        node.dead = False
    assert vault.check("x").intact
    assert vault.repair("x").rebuilt == {}


@pytest.mark.parametrize("n", [0, 2, 8, "5", 5.0, True])
def test_an_n_that_cannot_be(ring, n):
    with pytest.raises(InvalidParameter):
        ShardedStore(mortals(7), ring, k=3, n=n)


def test_two_nodes_of_one_name_are_refused_where_names_count(ring):
    twins = [MemoryNode("twin"), MemoryNode("twin"), MemoryNode("other")]
    with pytest.raises(InvalidParameter, match="no two nodes"):
        ShardedStore(twins, ring, k=1, n=2)
    assert ShardedStore(twins, ring, k=1).n == 3


def test_nodes_outside_the_placement_are_not_troubled(ring):
    nodes = mortals(12)
    vault = open_store(nodes, ring)
    vault.put("x", DATA)
    chosen = holders(nodes).popitem()[1]
    for node in nodes:
        node.asked = 0
    vault.get("x")
    vault.check("x")
    vault.put("x", DATA[::-1])
    assert {node.name for node in nodes if node.asked} == chosen


# --- the verbs ------------------------------------------------------------------------------------


def test_any_two_of_the_five_may_die_and_all_of_the_others(ring):
    nodes = mortals(8)
    vault = open_store(nodes, ring)
    receipt = vault.put("x", DATA)
    (chosen,) = holders(nodes).values()
    for lost in itertools.combinations(chosen, 2):
        for node in nodes:
            node.dead = node.name in lost or node.name not in chosen
        assert vault.get("x", receipt=receipt) == DATA
        assert vault.check("x").margin == 0


def test_all_verbs_work_with_more_nodes_than_n(ring):
    nodes = mortals(9)
    vault = open_store(nodes, ring)
    for number in range(8):
        vault.put(f"object {number}", DATA + bytes([number]))
    assert vault.names() == [f"object {number}" for number in range(8)]
    receipt = vault.put("object 3", b"newer")
    assert (receipt.version, receipt.lacking) == (2, ())
    victim = next(node for node in nodes if shards_on(node))
    for key in shards_on(victim):
        del victim[key]
    for name in vault.names():
        vault.repair(name)
        assert vault.check(name).intact
    vault.delete("object 4")
    assert "object 4" not in vault.names()
    with pytest.raises(NotFound):
        vault.get("object 4")
    for number in (0, 1, 2, 3, 5, 6, 7):
        vault.shred(f"object {number}")
    assert not any(shards_on(node) for node in nodes)
    assert vault.names() == []


def test_a_shredding_reaches_shards_that_lie_where_no_placement_wants_them(ring):
    nodes = mortals(9)
    open_store(nodes, ring).put("x", DATA)
    changed = [node for node in nodes if node.name != "node-0"]
    open_store(
        [*changed, *(SwitchedNode(f"new-{index}") for index in range(9)), nodes[0]], ring
    ).shred("x")
    assert not any(list(node) for node in nodes)


# --- a list that has changed ----------------------------------------------------------------------


def test_a_reader_with_a_longer_or_shorter_list_finds_everything(ring):
    nodes = mortals(12)
    names = [f"object {number:02}" for number in range(12)]
    for name in names:
        open_store(nodes[:8], ring).put(name, name.encode())
    for known in (nodes, nodes[1:8], nodes[1:], nodes[:7], [*nodes[:8], *mortals(30)[12:]]):
        vault = open_store(known, ring)
        assert vault.names() == names
        assert [vault.get(name) for name in names] == [name.encode() for name in names]
        assert all(vault.check(name).readable for name in names)


def test_a_writer_with_a_longer_list_replaces_what_a_shorter_one_wrote(ring):
    nodes = mortals(8)
    before, after = open_store(nodes[:6], ring), open_store(nodes, ring)
    for number in range(12):
        old = before.put(f"object {number}", b"old")
        assert after.put(f"object {number}", b"new").version == old.version + 1
        assert before.get(f"object {number}", receipt=old) == b"new"
        assert after.get(f"object {number}") == b"new"
    for found in holders(nodes).values():
        assert len(found) == N  # nothing of the old version is left anywhere
    after.delete("object 7")
    with pytest.raises(NotFound):
        before.get("object 7")
    assert before.put("object 7", b"again").version == 4


def test_a_node_of_before_that_comes_back_with_old_data_changes_nothing(ring):
    nodes = mortals(10)
    for number in range(10):
        open_store(nodes[:5], ring).put(f"object {number}", b"old")
    nodes[0].dead = True
    later = open_store(nodes[1:], ring)
    for number in range(10):
        later.put(f"object {number}", b"new")
    nodes[0].dead = False
    for known in (nodes, nodes[1:], nodes[:9]):
        for number in range(10):
            assert open_store(known, ring).get(f"object {number}") == b"new"
    receipts = [open_store(nodes, ring).put(f"object {number}", b"newest") for number in range(10)]
    for node in nodes[1:]:
        node.clear()
    for number in range(10):
        with pytest.raises((StaleVersion, NotEnoughShards)):
            open_store(nodes, ring).get(f"object {number}", receipt=receipts[number])


# --- moving ---------------------------------------------------------------------------------------


def filled(nodes, ring, objects):
    vault = open_store(nodes, ring)
    receipts = {}
    for number in range(objects):
        receipts[f"object {number}"] = vault.put(f"object {number}", DATA + bytes([number]))
    return receipts


def read_all(nodes, ring, receipts):
    vault = open_store(nodes, ring)
    for number, (name, receipt) in enumerate(receipts.items()):
        assert vault.get(name, receipt=receipt) == DATA + bytes([number])


def is_at_its_place(nodes):
    names = [node.name for node in nodes]
    for object_id, found in holders(nodes).items():
        assert found == set(textbook.place(object_id, names, N))


def test_when_a_node_joins_only_its_share_moves(ring):
    nodes, objects = mortals(10), 60
    receipts = filled(nodes[:9], ring, objects)
    before = {key: (node.name, bytes(node[key])) for node in nodes for key in shards_on(node)}
    report = open_store(nodes, ring).rebalance()
    after = {key: (node.name, bytes(node[key])) for node in nodes for key in shards_on(node)}
    assert {key: value for key, (_, value) in after.items()} == {
        key: value for key, (_, value) in before.items()
    }
    moved = [key for key in after if after[key][0] != before[key][0]]
    assert {after[key][0] for key in moved} == {"node-9"}
    assert report.moved == {"node-9": len(moved)}
    assert report.size == sum(len(after[key][1]) for key in moved)
    assert (report.objects, report.failed, report.unreachable) == (objects, {}, {})
    share = report.shards / len(after)
    assert 0.5 / 10 < share < 2 / 10  # 1/10 is expected; 60 objects scatter
    is_at_its_place(nodes)
    read_all(nodes, ring, receipts)
    assert open_store(nodes, ring).rebalance().shards == 0


def test_when_a_node_leaves_only_what_it_kept_moves_whether_it_can_still_be_read_or_not(ring):
    nodes = mortals(9)
    receipts = filled(nodes, ring, 30)
    kept = len(shards_on(nodes[4]))
    rest = [node for node in nodes if node is not nodes[4]]
    report = open_store(rest, ring).rebalance()
    assert report.shards == kept > 0
    is_at_its_place(rest)
    read_all(rest, ring, receipts)
    for name in receipts:
        assert open_store(rest, ring).check(name).intact


def test_a_repair_rebuilds_on_the_next_node_what_lay_on_one_that_is_gone(ring):
    nodes = mortals(7)
    receipts = filled(nodes, ring, 12)
    gone = nodes.pop(2)
    vault = open_store(nodes, ring)
    rebuilt = 0
    for name in receipts:
        assert vault.check(name).margin >= 1
        rebuilt += sum(vault.repair(name).rebuilt.values())
        assert vault.check(name).intact
    assert rebuilt == len(shards_on(gone))
    read_all(nodes, ring, receipts)
    assert vault.rebalance().shards == 0


def test_a_node_that_only_sleeps_is_waited_for(ring):
    nodes = mortals(7)
    receipts = filled(nodes, ring, 12)
    nodes[2].dead = True
    vault = open_store(nodes, ring)
    for name in receipts:
        assert vault.repair(name).rebuilt == {}
    report = vault.rebalance()
    assert (report.shards, report.unreachable) == (0, {"node-2": "refused"})
    nodes[2].dead = False
    for name in receipts:
        assert vault.check(name).intact


def test_one_object_can_be_moved_alone(ring):
    nodes = mortals(12)
    receipts = filled(nodes[:6], ring, 8)
    vault = open_store(nodes, ring)
    assert vault.rebalance("object 5").objects == 1
    assert vault.rebalance("object 5").shards == 0
    read_all(nodes, ring, receipts)
    with pytest.raises(NotFound):
        vault.rebalance("never put")
    vault.delete("object 5")
    with pytest.raises(NotFound):
        vault.rebalance("object 5")


def test_a_tombstone_moves_too(ring):
    nodes = mortals(12)
    filled(nodes[:5], ring, 1)
    open_store(nodes[:5], ring).delete("object 0")
    open_store(nodes, ring).rebalance()
    moved_away = open_store(nodes[5:], ring)
    assert moved_away.rebalance().failed == {}
    with pytest.raises(NotFound):
        moved_away.get("object 0")
    assert moved_away.put("object 0", b"again").version == 3


def test_all_nodes_may_be_replaced_one_after_the_other(ring):
    nodes = mortals(21)
    receipts = filled(nodes[:7], ring, 6)
    for first in range(1, 15):
        known = nodes[first : first + 7]
        open_store(known, ring).rebalance()
        is_at_its_place(known)
        read_all(known, ring, receipts)


def test_a_damaged_shard_is_rebuilt_on_its_way(ring):
    nodes = mortals(12)
    receipts = filled(nodes[:5], ring, 6)
    for node in nodes[:2]:
        for key in shards_on(node):
            node[key] = b"false" + node[key][5:]
    vault = open_store(nodes, ring)
    assert vault.rebalance().failed == {}
    is_at_its_place(nodes)
    read_all(nodes, ring, receipts)


def test_an_object_that_cannot_be_read_is_named_and_the_others_move(ring):
    nodes = mortals(12)
    receipts = filled(nodes[:5], ring, 6)
    vault = open_store(nodes, ring)
    lost = vault.keyring.derive(
        b"".join(len(p).to_bytes(8, "big") + p for p in (b"lepton_lab object id", b"object 2")), 16
    )
    for node in nodes:
        for key in shards_on(node):
            if key.startswith(lost.hex()):
                node[key] = b"gone"
    report = vault.rebalance()
    assert set(report.failed) == {"object 2"}
    assert "good shards" in report.failed["object 2"]
    with pytest.raises(NotEnoughShards):
        vault.rebalance("object 2")
    del receipts["object 2"]
    for number, name in ((0, "object 0"), (5, "object 5")):
        assert vault.get(name, receipt=receipts[name]) == DATA + bytes([number])


def test_a_node_that_does_not_keep_what_it_takes_gets_no_old_shard_deleted(ring):
    class Forgetful(SwitchedNode):
        def write(self, key, buffer):
            self._ask()

    nodes = mortals(5)
    receipts = filled(nodes, ring, 10)
    known = [*nodes, Forgetful("node-5")]
    report = open_store(known, ring).rebalance()
    assert set(report.failed) <= set(receipts)
    assert report.failed
    assert all(why == "node-5 did not keep what it was given" for why in report.failed.values())
    assert report.moved == {}
    assert sum(len(shards_on(node)) for node in nodes) == 10 * N * (
        STRIPES + (len(DATA) % 144 == 0)
    )
    read_all(known, ring, receipts)


def test_a_rebalancing_that_is_cut_off_anywhere_loses_nothing_and_the_next_one_ends_it(
    ring, monkeypatch
):
    budget = limit_writes(monkeypatch)
    cuts, done, at = 0, False, 0
    while not done:
        nodes = [SwitchedNode(f"node-{index}") for index in range(8)]
        vault = open_store(nodes[:5], ring)
        receipt = vault.put("x", DATA)
        known = nodes[2:]  # two have left, three have come
        budget.left = at
        try:
            open_store(known, ring).rebalance()
            done = True
        except PowerCut:
            cuts += 1
        budget.refill()
        for readers in (known, nodes):
            assert open_store(readers, ring).get("x", receipt=receipt) == DATA
        open_store(known, ring).rebalance()
        assert open_store(known, ring).check("x").intact
        is_at_its_place(known)
        assert sum(len(shards_on(node)) for node in known) == N * STRIPES
        vault.shred("x")
        at += 1
    assert cuts > 2 * STRIPES


def test_reads_go_on_while_shards_move(ring):
    nodes = mortals(9)
    receipts = filled(nodes[:5], ring, 6)
    lists = itertools.cycle([nodes, nodes[2:], nodes[1:8], nodes[3:], nodes[2:]])
    stop, failures = threading.Event(), []

    def read():
        while not stop.is_set():
            try:
                read_all(nodes, ring, receipts)
            except BaseException as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(12):
        open_store(next(lists), ring).rebalance()
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_a_reader_whose_shards_are_moved_between_two_stripes_goes_on_at_the_new_place(ring):
    nodes = mortals(12)
    receipts = filled(nodes[:5], ring, 12)
    names = [node.name for node in nodes]
    old = set(names[:5])
    staying = {
        object_id: len(old & set(textbook.place(object_id, names, N)))
        for object_id in holders(nodes)
    }
    assert (
        min(staying.values()) < K
    )  # of such an object too little stays where the reader has seen it

    class Slow(io.BytesIO):
        def write(self, data):
            if not self.tell():
                open_store(nodes, ring).rebalance(name)
            return super().write(data)

    for number, name in enumerate(receipts):
        sink = Slow()
        assert open_store(nodes, ring).get(name, sink, receipt=receipts[name]) == len(DATA) + 1
        assert sink.getvalue() == DATA + bytes([number])


@pytest.mark.parametrize("method", ["is_replaced", "publish", "withdraw"])
def test_a_writer_who_replaces_an_object_that_is_being_moved_wins(ring, monkeypatch, method):
    nodes = mortals(8)
    vault = open_store(nodes[:6], ring)
    filled(nodes[:6], ring, 6)
    owner = Versions if method == "is_replaced" else commit
    honest = getattr(owner, method)
    came = []

    def interrupted(versions, *arguments, **more):
        name = versions.name.decode()
        if name not in came:
            came.append(name)
            vault.put(name, b"newer")
        return honest(versions, *arguments, **more)

    monkeypatch.setattr(owner, method, interrupted)
    assert open_store(nodes[1:], ring).rebalance().failed == {}
    assert came
    if (
        method != "withdraw"
    ):  # by then all was in its place, where this writer with a list of before does not look
        known = [key for node in nodes[1:] for key in shards_on(node)]
        replaced = {vault._versions_of(name).__enter__().object_id.hex() for name in came}
        assert {key.split("/")[1] for key in known if key.split("/")[0] in replaced} == {
            f"{2:016x}"
        }
    for name in came:
        for known in (nodes[:6], nodes[1:]):
            assert open_store(known, ring).get(name) == b"newer"
    for name in vault.names():
        open_store(nodes, ring).repair(name)
        assert open_store(nodes, ring).check(name).intact
    assert all(len(found) == N for found in holders(nodes).values())


def test_a_node_that_says_it_holds_anothers_shards_costs_no_more_than_its_own(ring):
    nodes = mortals(9)
    receipts = filled(nodes[:5], ring, 8)
    for liar, honest in ((0, 3), (1, 2)):
        for key in list(nodes[liar]):
            if key.endswith(("head", "manifest")):
                nodes[liar][key] = nodes[honest][key]
    for known in (nodes[:5], nodes, nodes[4::-1], [nodes[i] for i in (8, 1, 3, 0, 2, 4)]):
        read_all(known, ring, receipts)
        for name in receipts:
            assert open_store(known, ring).check(name).readable
    open_store(nodes, ring).rebalance()
    for name in receipts:
        open_store(nodes, ring).repair(name)
        assert open_store(nodes, ring).check(name).intact
    is_at_its_place(nodes)


def test_by_an_unchanged_list_such_a_liar_is_the_only_one_that_is_blamed(ring):
    nodes = mortals(5)
    vault = ShardedStore(nodes, ring, segment=SEGMENT)
    vault.put("x", DATA)
    for key in list(nodes[0]):
        if key.endswith(("head", "manifest")):
            nodes[0][key] = nodes[3][key]
    health = vault.check("x")
    assert (
        health.nodes["node-3"].good == health.nodes["node-0"].good == STRIPES
    )  # its shards are true, it only says less
    for key in shards_on(nodes[0]):
        del nodes[0][key]
    health = vault.check("x")
    assert [health.nodes[f"node-{index}"].missing for index in range(5)] == [STRIPES, 0, 0, 0, 0]
    assert vault.repair("x").rebuilt == {"node-0": STRIPES}


@pytest.fixture
def doubled(ring, monkeypatch):
    """An object with a shard on two nodes: its move stopped just before the old one was deleted."""
    wanted, nodes = mortals(8), mortals(8)
    open_store(wanted, ring).put(
        "x", DATA
    )  # shows which five of eight the lots choose: the other three stand first
    nodes = [
        nodes[index] for index in sorted(range(8), key=lambda index: bool(shards_on(wanted[index])))
    ]
    open_store(nodes[:5], ring).put("x", DATA)

    def cut(*_, **__):
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(commit, "withdraw", cut)
        with pytest.raises(PowerCut):
            open_store(nodes, ring).rebalance()
    indexes = [key.rpartition("/")[2] for node in nodes for key in shards_on(node)]
    assert len(indexes) > N * STRIPES
    return nodes


def test_what_lies_twice_is_found_and_deleted_by_the_next_rebalancing(ring, doubled):
    report = open_store(doubled, ring).rebalance()
    assert (report.shards, report.failed) == (0, {})
    is_at_its_place(doubled)
    assert sum(len(shards_on(node)) for node in doubled) == N * STRIPES
    assert open_store(doubled, ring).check("x").intact


def test_what_lies_twice_is_deleted_when_it_is_replaced_or_by_the_next_repair(ring, doubled):
    receipt = open_store(doubled, ring).put("x", b"newer")
    assert open_store(doubled, ring).get("x") == b"newer"
    open_store(doubled, ring).repair("x")
    versions = {key.split("/")[1] for node in doubled for key in shards_on(node)}
    assert versions == {f"{receipt.version:016x}"}


def test_a_repair_leaves_the_second_copy_while_the_first_cannot_be_read(ring, doubled):
    fresh = [node for node in doubled[5:] if shards_on(node)]
    behind = {node.name: set(shards_on(node)) for node in doubled[:5]}
    for node in fresh:  # they answer when they are asked for the manifest, and then die
        node.read_into = lambda key, buffer, node=node, honest=node.read_into: _dies_at_a_shard(
            node, key, buffer, honest
        )
    report = open_store(doubled, ring).repair("x")
    assert set(report.unreachable) == {node.name for node in fresh}
    assert {node.name: set(shards_on(node)) for node in doubled[:5]} == behind
    assert open_store(doubled, ring).get("x") == DATA


def _dies_at_a_shard(node, key, buffer, honest):
    if is_shard(key):
        node.dead = True
    return honest(key, buffer)


def test_folders_join_and_leave(ring, tmp_path):
    nodes = [DirectoryNode(tmp_path / f"node-{index}", sync=False) for index in range(7)]
    receipts = filled(nodes[:6], ring, 5)
    open_store(nodes, ring).rebalance()
    is_at_its_place(nodes)
    open_store(nodes[1:], ring).rebalance()
    read_all(nodes[1:], ring, receipts)
