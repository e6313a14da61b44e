"""Bundles that leave the house: packed, signed, and inspected before anything of them runs."""
