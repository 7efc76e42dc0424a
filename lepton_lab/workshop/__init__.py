"""The workshop: exercise checks with hints, the students' edition, and the copies in which learners work.

    check("aes.xtime", xtime)        # 'done', or 'not yet' with a hint; it never raises

Exercises are declared as data, in the file named after their notebook: `aes.py` holds those of `01_aes`.
"""

from lepton_lab.workshop.checking import Verdict, check

__all__ = ["Verdict", "check"]
