"""Data sets: an index function takes a folder and returns plain dicts, see the README for their keys."""
