"""Run rounds of chaos, each of which is one scenario.

A round is its number: the same number does the same again, but for the exact moment at which a
signal meets a system call.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from lepton_lab.chaos import (
    byzantine_scenarios,
    client_scenarios,
    file_scenarios,
    network_scenarios,
    server_scenarios,
)
from lepton_lab.chaos.harness import Harness
from lepton_lab.chaos.ledger import PromiseBroken
from lepton_lab.chaos.seeded_random import SeededRandom
from lepton_lab.errors import LabError

_POLL = 0.2  # seconds

# In the order of their rounds; what is most likely to find a fault comes more than once.
SCENARIOS: tuple[Callable[[Harness], None], ...] = (
    server_scenarios.killed_during_a_put,
    server_scenarios.killed_during_a_get,
    server_scenarios.killed_during_a_repair,
    client_scenarios.two_writers,
    byzantine_scenarios.false_answers_while_reading,
    byzantine_scenarios.false_answers_while_writing,
    network_scenarios.slow_network,
    client_scenarios.readers_during_writes,
    server_scenarios.hanging_during_a_put,
    server_scenarios.full_during_a_put,
    network_scenarios.partition_during_a_put,
    byzantine_scenarios.faults_in_different_stripes,
    server_scenarios.killed_during_a_put,
    client_scenarios.two_writers,
    byzantine_scenarios.false_answers_while_reading,
    network_scenarios.partition_during_a_get,
    server_scenarios.hanging_during_a_get,
    byzantine_scenarios.all_nodes_rolled_back,
    server_scenarios.too_many_faulty,
    network_scenarios.minority_side_of_a_partition,
    client_scenarios.client_killed_while_writing,
    network_scenarios.partition_during_a_repair,
    client_scenarios.readers_during_writes,
    server_scenarios.hanging_during_a_repair,
    network_scenarios.connections_cut_during_a_put,
    byzantine_scenarios.foreign_failures,
    byzantine_scenarios.two_writers_rolled_back,
    network_scenarios.answers_drip,
    network_scenarios.answers_flood,
    file_scenarios.strange_files_in_place_of_shards,
    client_scenarios.client_forks_while_writing,
)


def run(
    rounds: int,
    harnesses: int,
    folder: Path,
    *,
    first: int = 0,
    on_round: Callable[[int], object] = lambda _: None,
) -> Counter[str]:
    """Run `rounds` rounds on several harnesses at once; much of a round is waiting for time-outs.

    folder: an empty folder for key rings. first: the number of the first round. on_round: called
    with the number of every round that held. Returns the counts of all ledgers together.

    Raises PromiseBroken, NodeError when there is no redis-server, and OSError.
    """
    stopped = threading.Event()

    def run_share(number: int) -> Counter[str]:
        """Run every `harnesses`-th round on one harness."""
        (folder / str(number)).mkdir()
        harness = Harness(folder / str(number))
        try:
            for each in range(first + number, first + rounds, harnesses):
                if stopped.is_set():
                    break
                run_round(harness, each)
                on_round(each)
        except BaseException:
            stopped.set()
            raise
        finally:
            harness.close()
        return harness.ledger.counts

    with ThreadPoolExecutor(harnesses) as pool:
        futures = [pool.submit(run_share, number) for number in range(min(harnesses, rounds))]
        try:
            # A thread that waits without end may miss a signal such as Ctrl-C.
            while wait(futures, _POLL).not_done:
                pass
            return sum((future.result() for future in futures), Counter())
        except BaseException:
            stopped.set()
            raise


def run_round(harness: Harness, number: int) -> None:
    """Run one round. Raises PromiseBroken, which says which round and what was wrong."""
    harness.random = SeededRandom(number)
    scenario = SCENARIOS[number % len(SCENARIOS)]
    harness.ledger.counts[scenario.__name__] += 1
    try:
        scenario(harness)
        harness.heal()
        harness.verify_after_healing()
    except LabError as error:
        raise PromiseBroken(f"round {number}, {scenario.__name__}: {error!r}") from error
