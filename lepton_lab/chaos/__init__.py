"""Fault injection: real servers that die, hang, fill up or lie while a store uses them.

    run(rounds=50, harnesses=3, folder=folder)    counts of what happened, or PromiseBroken

A ledger keeps what the store has acknowledged and compares it with every read. `rounds.py` runs the
scenarios, the `*_scenarios.py` files say what happens in each, `harness.py` holds the servers and
the stores, and `byzantine_node.py` and `network.py` are the faults that need more than a signal.
All data is thrown away at the end.
"""

from lepton_lab.chaos.harness import Harness
from lepton_lab.chaos.ledger import Ledger, PromiseBroken
from lepton_lab.chaos.rounds import SCENARIOS, run, run_round

__all__ = ["SCENARIOS", "Harness", "Ledger", "PromiseBroken", "run", "run_round"]
