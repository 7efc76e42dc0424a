"""Chaos: real servers that die, hang, fill up, lie and are cut off, and a ledger that says what the store owes.

    run(rounds=50, arenas=3, folder)      the ledger's counts, or Broken with the round that did not hold

`rounds.py` has what can happen, `arena.py` the servers and the store, `liar.py` and `network.py` the faults that need
more than a signal, `ledger.py` the proof. Everything is thrown away at the end.
"""

from lepton_lab.chaos.arena import Arena
from lepton_lab.chaos.ledger import Broken, Ledger
from lepton_lab.chaos.rounds import SCENARIOS, round_of, run

__all__ = ["SCENARIOS", "Arena", "Broken", "Ledger", "round_of", "run"]
