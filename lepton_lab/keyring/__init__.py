"""The key ring: where keys live, in one file, apart from the data that they protect.

    passphrase ──scrypt──▶ passphrase key ┐
                                          ├─▶ master key ──HKDF──▶ opens the file: a root, a secret for each data key
    custodians' shares ──Shamir──────────▶┘                                                    │
                                          wrapped data key (lies beside the data) ──RFC 3394───┴─▶ data key

A data key protects one thing: `new_data_key` makes it, its `wrapped` form is stored with the data, `unwrap` opens that
again. What opens the wrapped form is a random secret of its own that lives only in the ring's file; so removing that
secret (`shred`) makes this ring unable to read the data, wherever copies of it lie, and a new master key (`rotate`) or
passphrase touches no stored data. Never put the file on a storage node.

`ring.py` holds the verbs; `file.py` the file; `body.py` what is sealed inside it; `wrapping.py` the wrapped data key
and its export to a recipient; `lock.py` the lock between processes.
"""

from lepton_lab.keyring.export import DataKey, open_for
from lepton_lab.keyring.records import AuditEntry
from lepton_lab.keyring.ring import KeyRing

__all__ = ["AuditEntry", "DataKey", "KeyRing", "open_for"]
