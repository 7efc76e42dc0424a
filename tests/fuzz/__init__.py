"""Fuzzing the parsers of outside octets: `targets.py` says what each must hold, `corpus/` keeps what was found."""
