"""Exercise checks with hints, the notebooks that learners and teachers get, and progress reports.

    check("aes.xtime", xtime)        # 'done', or 'not yet' with a hint; it never raises

Exercises are declared as data. The file is named after the first part of their id:
`exercises/aes.py` declares `aes.xtime`.
"""

from lepton_lab.workshop.checking import Verdict, check

__all__ = ["Verdict", "check"]
