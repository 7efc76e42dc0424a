"""Fuzzing of every parser of outside bytes: rules in `targets.py`, found cases in `corpus/`."""
