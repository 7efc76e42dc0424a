"""Tests lepton_lab.show.byte_explorer: every byte has its name.

Where scripts do not run, and for a screen reader, there are tables of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.show import byte_explorer, handshake
from lepton_lab.show.byte_explorer import KINDS, ByteExplorer, ExplorerPage, ExplorerSpan

HEADER = (
    ExplorerSpan(0, 1, "TLSPlaintext.type", "handshake", "What the record carries.", "type"),
    ExplorerSpan(
        1,
        2,
        "TLSPlaintext.legacy_record_version",
        "0x0301",
        "Frozen for the sake of old machines.",
        "version",
    ),
    ExplorerSpan(3, 2, "TLSPlaintext.length", "2", "How many bytes follow.", "length"),
)
HELLO = ExplorerPage(
    "ClientHello",
    bytes.fromhex("1603010002") + b"hi",
    (*HEADER, ExplorerSpan(5, 2, "said", "'hi'")),
    "client",
    "Hi.",
)
SEALED = ExplorerPage(
    'Finished <&> "quoted"',
    bytes(7),
    (*HEADER, ExplorerSpan(5, 2, "verify_data", "", "A MAC.", "mac")),
    "server",
    opened=b"12345ok",
)


def explorer() -> ByteExplorer:
    return byte_explorer([HELLO, SEALED], caption="Two messages")


def test_its_text_is_what_there_is_by_name_and_no_byte() -> None:
    shown = explorer()
    bundle, _ = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown) == shown.text
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert [line.split() for line in shown.text.splitlines()[3:]] == [
        ["0", "client", "ClientHello"],
        ["1", "server", "Finished", "<&>", '"quoted"'],
    ]


def test_without_scripts_every_field_stands_in_a_table_with_its_bytes() -> None:
    html = explorer().html
    assert html.count("<details>") == 2
    assert "16" in html
    assert "<code>6f 6b</code>" in html  # opened, where something hides
    assert "<script" not in html
    assert "Finished &lt;&amp;&gt;" in html


def test_long_fields_are_cut_in_the_table_and_say_how_long_they_are() -> None:
    html = byte_explorer(
        [ExplorerPage("long", bytes(1000), (ExplorerSpan(0, 1000, "zeros"),))], caption=""
    ).html
    assert "(1,000 bytes)" in html
    assert len(html) < 1000


def test_the_pages_travel_in_the_script_and_nothing_is_fetched() -> None:
    shown = explorer()
    script = shown.get_state()["_esm"]
    data = json.loads(script.partition("const PAGES = ")[2].partition(";\n")[0])
    assert [page["wire"] for page in data] == [HELLO.data.hex(), SEALED.data.hex()]
    assert [page["opened"] for page in data] == [None, b"12345ok".hex()]
    assert data[0]["spans"][0] == [
        0,
        1,
        "TLSPlaintext.type",
        "handshake",
        "What the record carries.",
        0,
    ]
    assert "http" not in script + shown.get_state()["_css"]
    for needed in ("aria-live", "ArrowRight", "PageDown", "data-lm-suppress-shortcuts"):
        assert needed in script


def test_every_kind_has_a_colour_of_its_own() -> None:
    css = explorer().get_state()["_css"]
    colours = [
        css.partition(f"td.kind{number} {{ background: ")[2][:7] for number in range(len(KINDS))
    ]
    assert all(colour.startswith("#") for colour in colours)
    assert len(set(colours)) == len(KINDS)


@pytest.mark.parametrize(
    "page",
    [
        replace(HELLO, spans=(ExplorerSpan(0, 8, "too long"),)),
        replace(HELLO, spans=(ExplorerSpan(2, 2, "a"), ExplorerSpan(3, 1, "overlaps"))),
        replace(HELLO, spans=(ExplorerSpan(2, 2, "a"), ExplorerSpan(0, 1, "before"))),
        replace(HELLO, spans=(ExplorerSpan(0, -1, "negative"),)),
        replace(HELLO, spans=(ExplorerSpan(0, 1, "a", kind="colourful"),)),
        replace(SEALED, opened=b"short"),
    ],
)
def test_a_page_that_does_not_fit_together_is_refused(page: ExplorerPage) -> None:
    with pytest.raises(InvalidParameter):
        byte_explorer([page], caption="")


def test_nothing_is_nothing_to_explore() -> None:
    with pytest.raises(InvalidParameter):
        byte_explorer([], caption="")


@dataclass(frozen=True)
class DissectedField:
    offset: int
    length: int
    path: str
    value: object
    meaning: str
    kind: str


@dataclass(frozen=True)
class DissectedRecord:
    sender: str
    data: bytes
    opened: bytes
    protected: bool
    secret_label: str
    inner_type: str
    fields: tuple[DissectedField, ...]
    messages: tuple[int, ...]


@dataclass(frozen=True)
class DissectedMessage:
    name: str
    summary: str


@dataclass(frozen=True)
class Dissected:
    records: tuple[DissectedRecord, ...]
    messages: tuple[DissectedMessage, ...]


def test_a_dissection_becomes_a_page_a_record() -> None:
    fields = (
        DissectedField(0, 1, "A.type", 22, "", "type"),
        DissectedField(1, 2, "A.text", b"ok", "", "name"),
        DissectedField(3, 2, "A.b", b"\0\1", "", "key"),
    )
    found = Dissected(
        (
            DissectedRecord(
                "client", b"\x16ok\0\1", b"\x16ok\0\1", False, "", "handshake", fields, (0,)
            ),
            DissectedRecord(
                "server",
                b"\x17????",
                b"\x17ok\0\1",
                True,
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "handshake",
                fields,
                (1, 2),
            ),
            DissectedRecord(
                "server",
                b"\x17????",
                b"\x17ok\0\1",
                True,
                "SERVER_TRAFFIC_SECRET_0",
                "alert",
                fields,
                (),
            ),
        ),
        (
            DissectedMessage("ClientHello", "offers much"),
            DissectedMessage("Certificate", "for a.test."),
            DissectedMessage("Finished", ""),
        ),
    )
    first, second, third = handshake(found).pages
    assert (first.title, first.opened, first.sentence) == (
        "ClientHello",
        None,
        "offers much. In the clear.",
    )
    assert (second.title, second.opened) == ("Certificate + Finished", b"\x17ok\0\1")
    assert second.sentence == "for a.test. Protected under SERVER_HANDSHAKE_TRAFFIC_SECRET."
    assert third.title == "alert"
    assert [span.value for span in first.spans] == ["22", "'ok'", ""]


def test_a_live_handshake_becomes_pages_that_cover_every_byte() -> None:
    tls13 = pytest.importorskip(
        "lepton_lab.textbook.protocols.tls13", reason="the dissector is not there"
    )
    from lepton_lab import tls

    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue("server.test"), ca)
    client = tls.client_context(ca, ca.issue("alice", client=True))
    pages = handshake(tls13.dissect(tls.record_handshake(server, client, "server.test"))).pages
    titles = [page.title for page in pages]
    assert (titles[0], titles[1]) == ("ClientHello", "ServerHello")
    assert {"Certificate", "Finished", "ApplicationData"} <= set(titles)
    for page in pages:
        assert sum(span.length for span in page.spans) == len(page.data)
        assert (page.opened is None) == (
            page.title in ("ClientHello", "ServerHello", "ChangeCipherSpec")
        )


# a document made of plain objects, a hand that presses keys, and what is then on the page
DRIVE = """
class Node {
  constructor(tag) {
    this.tag = tag; this.children = [];
    this.attributes = {}; this.dataset = {}; this.listeners = {};
    this.names = new Set();
    const names = this.names;
    this.classList = {
      add: (n) => names.add(n),
      toggle: (n, is) => is ? names.add(n) : names.delete(n),
    };
  }
  append(...nodes) { this.children.push(...nodes); }
  replaceChildren(...nodes) { this.children = nodes; }
  setAttribute(n, v) { this.attributes[n] = v; }
  addEventListener(n, f) { this.listeners[n] = f; }
  remove() {}
  all() { return [this, ...this.children.flatMap((c) => c.all?.() ?? [])]; }
  querySelectorAll() {
    return this.all().filter((n) => n.tag === "td" && "owner" in n.dataset);
  }
}
globalThis.HTMLButtonElement = class {};
globalThis.document = { createElement: (tag) => new Node(tag) };
const { default: widget } = await import(process.argv[1]);
const el = new Node("div");
widget.render({ el });
const box = el.children[0];
const named = (name) => box.all().find((n) => n.className === name);
const press = (key) =>
  box.listeners.keydown({ key, preventDefault() {}, stopPropagation() {} });
const chosen = () => named("grid").all().filter((n) => n.names.has("chosen"));
const say = () => [
  named("title").textContent.trim(),
  named("name").textContent,
  chosen().map((n) => n.textContent).join(" "),
].join(" | ");
const out = [say()];
for (const key of process.argv[2].split(",")) {
  press(key === "space" ? " " : key);
  out.push(say());
}
console.log(out.join("\\n"));
"""


@pytest.mark.skipif(
    shutil.which("node") is None, reason="optional peer: node runs the explorer's script"
)
def test_the_keys_walk_through_fields_and_messages_and_open_what_is_hidden(tmp_path) -> None:
    script = tmp_path / "explorer.mjs"
    script.write_text(explorer().get_state()["_esm"])
    keys = "ArrowRight,ArrowLeft,ArrowLeft,PageDown,ArrowLeft,ArrowRight,End,"
    keys += "ArrowRight,ArrowRight,ArrowRight,space,ArrowRight,Home"
    command = ["node", "--input-type=module", "-e", DRIVE, str(script), keys]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()
    assert [line.split(" | ")[1:] for line in said] == [
        ["type", "16"],
        ["legacy_record_version", "03 01"],
        ["type", "16"],
        ["type", "16"],
        ["type", "31"],  # the second message, opened
        ["said", "68 69"],
        ["type", "31"],
        ["type", "31"],
        ["legacy_record_version", "32 33"],
        ["length", "34 35"],
        ["verify_data", "6f 6b"],
        ["verify_data", "00 00"],  # as on the wire
        ["verify_data", "00 00"],  # nothing comes after the last
        ["type", "16"],
    ]
