"""`monai-gi compare-bundles`: several bundles trained and judged alike, each in its own process, and one table."""

from monai_gi.bundle_comparison.comparison import compare_bundles
from monai_gi.bundle_comparison.request import Budget, ComparisonRequest, parse_budget

__all__ = ["Budget", "ComparisonRequest", "compare_bundles", "parse_budget"]
