"""The exercises, one file per topic: the first part of an exercise's id is the name of its file.

An exercise with a long check of its own stands in a file beside it (`aes_padding_oracle.py`), and
the topic's file lists it.
"""
