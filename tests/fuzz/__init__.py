"""Fuzzing the parsers of outside bytes: `targets.py` has the rules, `corpus/` what was found."""
