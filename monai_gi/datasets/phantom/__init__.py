"""Drawn data sets in the layout of the real ones, for the demo and the tests."""
