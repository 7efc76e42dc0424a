"""Make the strict run of the notebooks strict: what nbval 0.11 lets pass, or trips over, is settled here.

- A notebook with its outputs stripped passes nbval: an unrun cell is refused.
- A trailing `;` is only honoured by a kernel that keeps a history, as JupyterLab's does (nbval's issue 194).
- Pictures of the kinds image/png and image/jpeg are never compared by nbval: here they are.
- The kernel is the Python that runs the tests, whatever kernels the machine has, with a profile of its own: neither
  the reader's IPython settings nor their history have a part in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

_CELL_SECONDS = 120.0  # a whole notebook is meant to take 60


def _execute_with_history(self: RunningKernel, cell_input: str, allow_stdin: bool | None = None) -> str:
    message: str = self.kc.execute(cell_input, store_history=True, allow_stdin=bool(allow_stdin), stop_on_error=False)
    return message


RunningKernel.execute_cell_input = _execute_with_history


def pytest_configure(config: pytest.Config) -> None:
    """Fix the kernel and the time limit."""
    config.option.nbval_current_env = config.option.nbval_kernel_name is None
    config.option.nbval_cell_timeout = min(config.option.nbval_cell_timeout, _CELL_SECONDS)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Iterator[None]:
    """Give the kernels an IPython folder of their own while they run."""
    before = os.environ.get("IPYTHONDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder
        try:
            return (yield)
        finally:
            os.environ.pop("IPYTHONDIR")
            if before is not None:
                os.environ["IPYTHONDIR"] = before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compare pictures too."""
    for file in {item.parent for item in items if isinstance(item, IPyNbCell)}:
        file.skip_compare = tuple(kind for kind in file.skip_compare if not kind.startswith("image/"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a cell that was committed without having been run."""
    if isinstance(item, IPyNbCell) and item.cell.source.strip() and item.cell.execution_count is None:
        pytest.fail("this cell was committed without having been run: `make notebooks` runs them all", pytrace=False)
