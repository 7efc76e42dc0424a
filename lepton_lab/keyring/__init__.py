"""The key ring: where keys live, in one file, apart from the data that they protect.

    passphrase ──scrypt──▶ passphrase key ┐
                                          ├─▶ master key ──HKDF──▶ opens the file
    custodians' shares ──Shamir──────────▶┘

    the file holds a root, and one secret per data key:

    secret ──RFC 3394──▶ opens the wrapped data key, which lies beside the data

A data key protects one thing: `new_data_key` makes it, its `wrapped` form is stored with the data,
`unwrap` opens that again. What opens the wrapped form is a random secret that lives only in the
ring's file. Removing that secret (`shred`) makes this ring unable to read the data, wherever copies
of it lie; and a new master key (`rotate`) or passphrase touches no stored data. The ring also holds
the newest acknowledged version of what the keys protect (`acknowledge`), so that older data that
comes back is not believed. Never put the file on a storage node.

- `ring`: the verbs.
- `handle`: one handle on the file, which is read again when it changed and changed under a lock.
- `file`: the bytes of the file.
- `records`: what is sealed inside it; `acknowledged`: one of its parts.
- `export`: the wrapped data key, and its export to a recipient.
"""

from lepton_lab.keyring.acknowledged import Acknowledged
from lepton_lab.keyring.export import DataKey, open_for
from lepton_lab.keyring.records import AuditEntry
from lepton_lab.keyring.ring import KeyRing

__all__ = ["Acknowledged", "AuditEntry", "DataKey", "KeyRing", "open_for"]
