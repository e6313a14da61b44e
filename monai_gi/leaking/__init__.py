"""`monai-gi leaks`: near-duplicate images in different folds of a datalist, with pictures of the worst pairs."""

from monai_gi.leaking.report import LeakPair, LeakReport, report_leaks

__all__ = ["LeakPair", "LeakReport", "report_leaks"]
