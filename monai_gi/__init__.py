"""From MR scans to stomach and bowel contours with MONAI."""

__version__ = "0.1.0"
