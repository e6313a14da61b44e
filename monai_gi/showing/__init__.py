"""`monai-gi show`: one picture that tells what a file or folder holds - image, label or prediction."""

from monai_gi.showing.contact_sheets import show

__all__ = ["show"]
