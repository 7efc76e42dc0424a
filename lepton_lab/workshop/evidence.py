"""Why trust this helper: the table of what it was checked against, as the notebooks show it."""

from __future__ import annotations

import json

from lepton_lab import data
from lepton_lab.errors import InvalidParameter
from lepton_lab.show import table
from lepton_lab.show.display import Shown


def evidence(helper: str) -> Shown:
    """A table of a helper's standards, vectors, peers, properties, fuzz targets and mutants, as its tests wrote them.

    helper: "aes", "rsa", "paillier", "shamir", "erasure", "keyring", "sharding", "nodes" or "tls". Raises
    InvalidParameter for another.
    """
    helpers = json.loads(data.read("evidence.json"))["helpers"]
    if helper not in helpers:
        raise InvalidParameter(f"there is evidence for {', '.join(helpers)}, not for {helper!r}")
    found = helpers[helper]
    rows = [("standard", standard, "") for standard in found["standards"]]
    rows += [
        ("vectors", name, f"{count['run']:,} run, all hold")
        for name, count in found["vectors"].items()
    ]
    rows += [("peer", peer, "; ".join(tests)) for peer, tests in found["peers"].items()]
    rows += [("property", "", sentence) for sentence in found["properties"]]
    rows += [("fuzzed", target, "only typed errors") for target in found["fuzz"]]
    rows += [
        (
            "mutants",
            f"{module}.py",
            f"{score['killed']} of {score['tried']} noticed ({score['percent']} %)",
        )
        for module, score in found["mutation"].items()
    ]
    return table(rows, ["kind", "what", "result"], caption=f"Why trust {helper}")
