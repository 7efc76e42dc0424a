"""The exercises, one file per topic: the first part of an exercise's id is the name of its file."""
