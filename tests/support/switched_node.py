"""A node that tests switch off and on."""

from __future__ import annotations

from lepton_lab.errors import NodeError
from lepton_lab.nodes import MemoryNode


class SwitchedNode(MemoryNode):
    """A node in memory that refuses every call while `dead` is set; `asked` counts all calls."""

    dead = False
    asked = 0

    def _ask(self):
        self.asked += 1
        if self.dead:
            raise NodeError(self.name, "refused")

    def __getitem__(self, key):
        self._ask()
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self._ask()
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self._ask()
        super().__delitem__(key)

    def __iter__(self):
        self._ask()
        return super().__iter__()

    def set_if_absent(self, key, value):
        self._ask()
        return super().set_if_absent(key, value)
