"""Why trust a helper: the table of what it was checked against, as the notebooks show it."""

from __future__ import annotations

import json

from lepton_lab import data
from lepton_lab.errors import InvalidParameter
from lepton_lab.show import Shown, table


def evidence(helper: str) -> Shown:
    """A table of a helper's standards, test vectors, peers, properties, fuzz targets and mutants.

    helper: "aes", "rsa", "paillier", "shamir", "erasure", "keyring", "sharding", "nodes" or "tls".

    The numbers are those that the helper's tests wrote. Raises InvalidParameter for another helper.
    """
    helpers = json.loads(data.read("evidence.json"))["helpers"]
    if helper not in helpers:
        raise InvalidParameter(f"there is evidence for {', '.join(helpers)}, not for {helper!r}")
    found = helpers[helper]
    rows = [("standard", standard, "") for standard in found["standards"]]
    for name, count in found["vectors"].items():
        rows.append(("vectors", name, f"{count['run']:,} run, all hold"))
    for peer, tests in found["peers"].items():
        rows.append(("peer", peer, "; ".join(tests)))
    for sentence in found["properties"]:
        rows.append(("property", "", sentence))
    for target in found["fuzz"]:
        rows.append(("fuzzed", target, "only typed errors"))
    for module, score in found["mutation"].items():
        noticed = f"{score['killed']} of {score['tried']} noticed ({score['percent']} %)"
        rows.append(("mutants", f"{module}.py", noticed))
    return table(rows, ["kind", "what", "result"], caption=f"Why trust {helper}")
