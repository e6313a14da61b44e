"""`monai-gi doctor`: what is installed and found on this machine, and what to do about what is not."""

from monai_gi.diagnosis.doctor import Diagnosis, doctor

__all__ = ["Diagnosis", "doctor"]
