"""Fuzzing the parsers of outside bytes: `targets.py` says what each must hold, `corpus/` keeps what was found."""
