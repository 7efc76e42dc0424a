"""Tests lepton_lab.nodes.directory, lepton_lab.nodes.folders and lepton_lab.nodes.key_paths.

Files that are whole or absent, under names that no key can break.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue, UnreadableValue
from lepton_lab.nodes import DirectoryNode, directory, folders
from lepton_lab.nodes.directory import MARKER
from lepton_lab.nodes.key_paths import folders_of, key_of, names_of, path_of
from lepton_lab.sharding import ShardedStore
from tests.support import power


@pytest.fixture
def node(tmp_path) -> DirectoryNode:
    return DirectoryNode(tmp_path / "node", "node")


def files(node: DirectoryNode) -> list[str]:
    """Everything in the node's folder but its marker."""
    found = (str(path.relative_to(node.path)) for path in node.path.rglob("*"))
    return sorted(path for path in found if path != MARKER)


def test_a_key_of_the_store_is_a_path_that_one_can_read():
    assert path_of("00ff/0000000000000001/put/3") == Path("00ff/0000000000000001/put/3=")


@given(st.text(st.sampled_from("aeux0-/con"), max_size=30))
def test_a_key_that_needs_no_encoding_has_the_path_that_the_rules_give(key):
    folder, slash, last = key.rpartition("/")
    ruled = [*(folders_of(folder) if slash else []), last + "="]
    assert names_of(key) == ruled
    assert key_of("/".join(ruled)) == key


@given(st.text(st.one_of(st.characters(), st.sampled_from("/.%=+")), max_size=400))
def test_every_path_is_lower_case_relative_short_in_its_parts_and_nowhere_hidden(key):
    if len(key.encode("utf-8", "surrogatepass")) > 1000:
        return
    path = path_of(key)
    assert not path.is_absolute()
    assert str(path) == str(path).lower()
    assert str(path).isascii()
    for part in path.parts:
        assert len(part) <= 201
        assert part[0] != "."
        assert part[-1] not in ". "
        assert part not in {"con", "nul", "aux", "prn", "com1", "lpt1"}


@pytest.mark.parametrize("device", ["con", "nul", "com1", "lpt9"])
def test_no_folder_has_the_name_of_a_device(device):
    for key in (f"{device}/x", f"a/{device}/x", "k" * 200 + f"{device}/x"):
        assert device not in path_of(key).parts


@given(
    st.lists(st.text(st.sampled_from("aA/%=+.é"), max_size=12), min_size=2, max_size=2, unique=True)
)
def test_two_keys_never_share_a_path_or_a_file_with_a_folder(keys):
    first, second = map(path_of, keys)
    assert first != second
    assert first not in second.parents


def test_a_key_beyond_1000_bytes_is_refused(node):
    node["é" * 500] = b"1"
    with pytest.raises(InvalidParameter, match="1000 bytes"):
        node["é" * 500 + "x"] = b"1"
    assert list(node.keys_with_prefix("é" * 501)) == []


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are modes not kept")
def test_only_the_owner_can_read(tmp_path):
    before = os.umask(0)
    try:
        node = DirectoryNode(tmp_path / "above" / "node")
        node["a/b/c"] = b"1"
        node.set_if_absent("a/d", b"2")
    finally:
        os.umask(before)
    for path in [node.path, *node.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_node_opened_again_has_its_values(node):
    node["a/b"] = b"1"
    again = DirectoryNode(node.path, "again")
    assert (again.name, dict(again)) == ("again", {"a/b": b"1"})


def test_deleting_removes_the_folders_that_are_empty_and_no_others(node):
    node.set_many({"a/b/c": b"1", "a/d": b"2"})
    del node["a/b/c"]
    assert files(node) == ["a", "a/d="]
    del node["a/d"]
    assert files(node) == []
    assert node.path.is_dir()


def test_files_that_no_key_could_have_made_are_not_keys_and_are_left_alone(node):
    node["a"] = b"1"
    strange = ["README", "B=", "%4A=", "%2=", ".a=.0123456789abcdef", "x+", "=+", "%ff=", "a=="]
    for name in strange:
        (node.path / name).write_bytes(b"?")
    (node.path / "link").symlink_to(node.path)
    assert list(node) == ["a"]
    node.clear()
    assert sorted(files(node)) == sorted([*strange, "link"])


def test_listing_a_prefix_reads_only_its_folder(node, monkeypatch):
    node.set_many({f"{top}/{leaf}": b"" for top in "abc" for leaf in "xyz"})
    read = []
    scandir = os.scandir

    def watched(folder):
        read.append(Path(os.readlink(f"/proc/self/fd/{folder}")).name)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", watched)
    assert sorted(node.keys_with_prefix("b/")) == ["b/x", "b/y", "b/z"]
    assert read == ["b"]


# --- when the file system refuses --------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_a_node_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NodeError, match=r"file exists|not a directory"):
            DirectoryNode(path)


def test_a_folder_that_has_gone_is_a_node_error_and_never_an_empty_node(node):
    node["a"] = b"1"
    node.path.rename(node.path.with_name("elsewhere"))
    for call in (
        lambda: node["a"],
        lambda: "a" in node,
        lambda: list(node),
        lambda: node.get_many(["a"]),
        lambda: node.read_into("a", bytearray(9)),
        lambda: node.write("b/c", b"2"),
        lambda: node.set_if_absent("b", b"2"),
        lambda: node.__delitem__("a"),
    ):
        with pytest.raises(NodeError, match="node: its folder is not there"):
            call()
    assert (
        not node.path.exists()
    )  # a disk that was taken out must not be replaced by a folder on another
    node.path.with_name("elsewhere").rename(node.path)
    assert dict(node) == {"a": b"1"}


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are modes not kept")
def test_a_folder_without_permission_is_a_node_error():
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        node = DirectoryNode(Path(above, "node"), "node")
        node.path.chmod(0o555)
        root = os.geteuid() == 0  # to whom everything is permitted
        if root:
            os.seteuid(65534)
        try:
            for method in (node.write, node.set_if_absent):
                with pytest.raises(NodeError, match="node: permission denied"):
                    method("a/b", b"1")
        finally:
            if root:
                os.seteuid(0)
            node.path.chmod(0o700)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("method", ["write", "set_if_absent"])
def test_what_the_system_refuses_is_named_without_paths_and_leaves_nothing(
    node, monkeypatch, code, method
):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code), "/some/path")

    monkeypatch.setattr("lepton_lab.files.os.open", refuse)
    with pytest.raises(NodeError) as caught:
        getattr(node, method)("a/b", b"1")
    assert (caught.value.node, caught.value.reason) == ("node", os.strerror(code).lower())
    monkeypatch.undo()
    assert list(node) == []


@pytest.mark.parametrize("method", ["write", "set_if_absent"])
def test_a_value_that_the_medium_has_no_room_for_leaves_the_old_one_and_no_rest(node, method):
    resource = pytest.importorskip("resource", reason="only on Windows is there no limit to set")
    node["a"] = b"old"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(NodeError, match="file too large"):
            getattr(node, method)("a" if method == "write" else "b", bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert dict(node) == {"a": b"old"}
    assert files(node) == ["a="]


def test_a_file_system_without_hard_links_is_named_and_nothing_is_left(node, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(NodeError, match=r"operation not permitted \(hard links; fat"):
        node.set_if_absent("a/b", b"1")
    with pytest.raises(NodeError, match="hard links"):
        DirectoryNode(node.path.with_name("another"))
    assert not any((node.path / path).is_file() for path in files(node))


# --- what is no regular file -------------------------------------------------------------------


def make_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path, _: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's path may be only some hundred bytes long
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


def make_folder(path: Path, _: Path) -> None:
    path.mkdir()


def make_full_folder(path: Path, _: Path) -> None:
    (path / "below").mkdir(parents=True)
    (path / "below" / "file").write_bytes(b"?")


STRANGE = {
    "a pipe": make_pipe,
    "a socket": make_socket,
    "a folder": make_folder,
    "a folder with files": make_full_folder,
    "a link to itself": lambda path, _: path.symlink_to(path.name),
    "a link to a file": lambda path, outside: path.symlink_to(outside / "precious="),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path, outside: path.symlink_to(outside / "nothing"),
}


@pytest.fixture
def outside(tmp_path):
    """A folder beside the node's, with a file that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious=").write_bytes(b"mine")
    yield folder
    assert [path.name for path in folder.rglob("*")] == ["precious="]
    assert (folder / "precious=").read_bytes() == b"mine"


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no such files")
@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE.keys())
def test_what_lies_in_a_values_place_is_one_bad_value_and_the_node_goes_on(node, outside, make):
    node["a/b"] = b"good"
    make(node.path / "a" / "c=", outside)
    reads = (
        lambda: node["a/c"],
        lambda: node.read_into("a/c", bytearray(9)),
        lambda: node.get_many(["a/b", "a/c"]),
    )
    for read in reads:
        begin = time.monotonic()
        with pytest.raises(UnreadableValue, match=r"^node: ") as caught:
            read()
        assert caught.value.node == "node"
        assert time.monotonic() - begin < 1
    assert node.get_bounded(["a/b", "a/c"], 4) == [b"good", bytes(5)]
    assert "a/c" in node
    assert sorted(node) == ["a/b", "a/c"]
    assert node.set_if_absent("a/c", b"claim") is False


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no such files")
@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE.keys())
def test_writing_replaces_what_lies_in_a_values_place_and_deleting_removes_it(node, outside, make):
    node["a/b"] = b"good"
    for change in (
        lambda: node.write("a/c", b"new"),
        lambda: node.__delitem__("a/c"),
        lambda: node.delete_many(["a/c"]),
    ):
        make(node.path / "a" / "c=", outside)
        change()
        assert node.get("a/c") in (b"new", None)
        node.delete_many(["a/c"])
    assert dict(node) == {"a/b": b"good"}


NO_FOLDERS = {name: make for name, make in STRANGE.items() if not name.startswith("a folder")}
NO_FOLDERS["a file"] = lambda path, _: path.write_bytes(b"?")


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no such files")
@pytest.mark.parametrize("deep", ["a", "a/b"])
@pytest.mark.parametrize("make", NO_FOLDERS.values(), ids=NO_FOLDERS.keys())
def test_what_lies_in_a_folders_place_is_replaced_by_writing_and_removed_by_deleting(
    node, outside, make, deep
):
    node["other"] = b"good"
    place = node.path / deep
    place.parent.mkdir(exist_ok=True)
    key = "a/b/c"
    for change in (
        lambda: node.write(key, b"new"),
        lambda: node.set_if_absent(key, b"new"),
        lambda: node.set_many({key: b"new"}),
        lambda: node.delete_many([key]),
    ):
        place.parent.mkdir(exist_ok=True)
        make(place, outside)
        with pytest.raises(UnreadableValue):
            node[key]
        assert node.get_bounded([key, "other"], 4) == [bytes(5), b"good"]
        assert list(node.keys_with_prefix("a/b/")) == []
        change()
        assert node.get(key) in (b"new", None)
        assert not os.path.lexists(place) or place.is_dir()
        node.delete_many([key])
    place.parent.mkdir(exist_ok=True)
    make(place, outside)
    with pytest.raises(KeyError):
        del node[key]
    assert not os.path.lexists(place)
    assert dict(node) == {"other": b"good"}


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no pipes with a path")
@pytest.mark.parametrize("heal", ["put", "repair", "shred"])
def test_a_pipe_in_the_place_of_an_objects_folder_is_healed(tmp_path, ring, heal):
    nodes = [DirectoryNode(tmp_path / f"node{number}", sync=False) for number in range(5)]
    store = ShardedStore(nodes, ring)
    store.put("x", b"v" * 3000)
    (place,) = [path for path in nodes[0].path.iterdir() if path.is_dir()]
    shutil.rmtree(place)
    os.mkfifo(place)
    if heal == "put":
        assert not store.put("x", b"w" * 3000).lacking
    elif heal == "repair":
        assert not store.repair("x").unreachable
    else:
        assert not store.shred("x").unreachable
        # Nothing lies behind the pipe that a shred could remove; the next put makes the folder.
        assert not store.put("x", b"w" * 3000).lacking
        assert store.check("x").intact
        return
    assert place.is_dir()
    assert store.check("x").intact


def test_a_link_instead_of_a_folder_is_not_followed_and_is_replaced_by_writing(node, outside):
    def link() -> None:
        (node.path / "a").symlink_to(outside)

    link()
    for read in (lambda: node["a/precious"], lambda: node.read_into("a/x", bytearray(4))):
        with pytest.raises(UnreadableValue):
            read()
    assert list(node) == []
    assert list(node.keys_with_prefix("a/")) == []
    node["a/b/c"] = b"1"
    assert not (node.path / "a").is_symlink()
    assert dict(node) == {"a/b/c": b"1"}
    node.clear()
    link()
    assert node.set_if_absent("a/precious", b"1") is True
    node.clear()
    link()
    node.delete_many(["a/precious"])
    assert not (node.path / "a").is_symlink()


@pytest.mark.parametrize("code", [errno.EIO, errno.ELOOP, errno.ENXIO, errno.EISDIR])
def test_a_sector_that_cannot_be_read_is_one_bad_value(node, monkeypatch, code):
    node.set_many({"a": b"1", "b": b"2"})
    bad = (node.path / "a=").stat().st_ino
    genuine = directory.read_into

    def read_into(file, room):
        if os.fstat(file.fileno()).st_ino == bad:
            raise OSError(code, os.strerror(code))
        return genuine(file, room)

    monkeypatch.setattr(directory, "read_into", read_into)
    for read in (lambda: node["a"], lambda: node.read_into("a", bytearray(9))):
        with pytest.raises(UnreadableValue, match=os.strerror(code).lower()):
            read()
    assert node.get_bounded(["a", "b"], 3) == [bytes(4), b"2"]


def test_a_value_of_many_gigabytes_is_not_read(node):
    node["a"] = b"1"
    os.truncate(node.path / "a=", 1 << 40)
    with pytest.raises(OversizedValue, match="longer than the 67108864"):
        node["a"]
    with pytest.raises(OversizedValue, match="longer than the 67108864"):
        node["b"] = bytes((64 << 20) + 1)
    assert node.get_bounded(["a"], 9) == [bytes(10)]


# --- disks that are not mounted ----------------------------------------------------------------

USES = {
    "read": lambda node: node["a"],
    "look": lambda node: "a" in node,
    "list": list,
    "get many": lambda node: node.get_many(["a"]),
    "get bounded": lambda node: node.get_bounded(["a"], 9),
    "write": lambda node: node.write("b/c", b"2"),
    "claim": lambda node: node.set_if_absent("b", b"2"),
    "delete": lambda node: node.delete_many(["a"]),
}


def test_an_empty_folder_that_was_a_node_is_a_disk_that_is_not_mounted(node):
    node["a"] = b"1"
    away = node.path.with_name("away")
    node.path.rename(away)
    node.path.mkdir()  # the mount point
    for later in (node, DirectoryNode(node.path, "node", create=False)):
        for use in USES.values():
            with pytest.raises(NodeError, match=r"node: its folder has no .lepton-node"):
                use(later)
        assert list(node.path.iterdir()) == []
    node.path.rmdir()
    for later in (node, DirectoryNode(node.path, "node", create=False)):
        for use in USES.values():
            with pytest.raises(NodeError, match="node: its folder is not there"):
                use(later)
        assert not node.path.exists()
    away.rename(node.path)
    assert dict(node) == dict(later) == {"a": b"1"}


def test_a_new_disk_is_taken_when_its_owner_marks_it(tmp_path):
    node = DirectoryNode(tmp_path / "new", create=False)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "lost+found").mkdir()
    with pytest.raises(NodeError, match="make an empty file of that name"):
        node["a"] = b"1"
    (tmp_path / "new" / MARKER).touch()
    node["a"] = b"1"
    assert dict(node) == {"a": b"1"}


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_of_an_earlier_version_is_adopted(tmp_path, create):
    (tmp_path / "old" / "a").mkdir(parents=True)
    (tmp_path / "old" / "a" / "b=").write_bytes(b"1")
    node = DirectoryNode(tmp_path / "old", create=create)
    assert dict(node) == {"a/b": b"1"}
    assert (tmp_path / "old" / MARKER).is_file()
    node.clear()
    assert dict(DirectoryNode(tmp_path / "old", create=False)) == {}


def test_a_folder_of_an_earlier_version_that_cannot_be_written_to_can_be_read(
    tmp_path, monkeypatch
):
    (tmp_path / "a=").write_bytes(b"1")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(folders.OpenFolder, "add_file", refuse)
    assert dict(DirectoryNode(tmp_path)) == {"a": b"1"}


def test_two_folders_of_one_name_have_two_names_and_one_folder_has_one_identity(tmp_path):
    first, second = (DirectoryNode(tmp_path / f"disk{i}" / "shards") for i in (1, 2))
    assert first.name == str(tmp_path / "disk1" / "shards")
    assert first.name != second.name
    assert first.identity != second.identity
    (tmp_path / "link").symlink_to(first.path)
    assert DirectoryNode(tmp_path / "link").identity == first.identity
    assert DirectoryNode(tmp_path / "disk2" / ".." / "disk1" / "shards").identity == first.identity
    gone = DirectoryNode(tmp_path / "gone", create=False)
    assert hash(gone.identity) != hash(first.identity)


def test_a_name_is_printable_whatever_the_path(tmp_path):
    node = DirectoryNode(tmp_path / "line\nbreak\x1b[2J\udcff")
    assert node.name.isprintable()
    assert "\\n" in node.name


@pytest.mark.parametrize("path", ["/srv/\0shards", None, 5, b"/srv/shards"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InvalidParameter, match="needs a path"):
        DirectoryNode(path)


# --- at the same time --------------------------------------------------------------------------


def test_writers_and_deleters_of_neighbours_never_trip_over_vanishing_folders(node):
    failed = []

    def churn(number):
        try:
            for turn in range(60):
                key = f"a/b/{number}-{turn % 2}"
                node[key] = b"1"
                del node[key]
        except (NodeError, KeyError) as error:
            failed.append(error)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert files(node) == []


def test_of_many_processes_exactly_one_claims_a_key(node):
    script = (
        "import sys; from lepton_lab.nodes import DirectoryNode;"
        "node = DirectoryNode(sys.argv[1], sync=False); value = sys.argv[2].encode(); input();"
        "print(*[i for i in range(200) if node.set_if_absent(f'{i}/claim', value)])"
    )
    claimants = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(node.path), who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in ("one", "two")
    ]
    answers = {}
    for who in claimants:
        who.stdin.write("go\n")
        who.stdin.flush()
    for name, who in zip(("one", "two"), claimants, strict=True):
        answers[name] = {int(i) for i in who.communicate()[0].split()}
    assert answers["one"] | answers["two"] == set(range(200))
    assert not answers["one"] & answers["two"]
    assert {i for i in range(200) if node[f"{i}/claim"] == b"one"} == answers["one"]


@pytest.mark.parametrize("sync", [True, False])
def test_syncing_is_what_was_asked_for(tmp_path, monkeypatch, sync):
    node = DirectoryNode(tmp_path / "node", sync=sync)
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(descriptor) or fsync(descriptor)
    )
    node["a/b"] = b"1"
    node.set_if_absent("a/c", b"1")
    assert bool(synced) == sync


def test_a_new_folders_entry_is_on_the_medium_before_any_value(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(directory, "sync_folder", synced.append)
    DirectoryNode(tmp_path / "a" / "b")
    assert synced == [tmp_path / "a", tmp_path]
    DirectoryNode(tmp_path / "a" / "b")
    DirectoryNode(tmp_path / "c", sync=False)
    assert len(synced) == 2


WRITES = {
    "write": lambda node: node.write("a/b", b"new" * 50),
    "write into a new folder": lambda node: node.write("c/d/e", b"new" * 50),
    "claim": lambda node: node.set_if_absent("a/c", b"new" * 50),
    "claim in a new folder": lambda node: node.set_if_absent("c/d/e", b"new" * 50),
}


@pytest.mark.skipif(
    os.name == "nt", reason="only on Windows does the file system log its renames itself"
)
@pytest.mark.parametrize("write", WRITES)
def test_a_power_cut_leaves_the_old_value_or_the_new_and_undoes_no_answer(tmp_path, write):
    root = tmp_path.resolve() / "node"
    node = DirectoryNode(root)
    node["a/b"] = b"old"
    with power.journal(root) as journal:
        WRITES[write](node)
    after = dict(node)
    seen = []
    for cut, states in enumerate(journal.after_cuts()):
        found = []
        for number, state in enumerate(states):
            left = tmp_path / f"{cut}-{number}"
            left.mkdir()
            values = dict(DirectoryNode(power.write_out(state, left)))
            assert values in ({"a/b": b"old"}, after)
            found += [values] if values not in found else []
        seen.append(found)
    assert (seen[0], seen[-1]) == ([{"a/b": b"old"}], [after])
