"""`monai-gi compare-bundles`: several bundles trained and judged alike, each in its own process, and one table."""

from monai_gi.bundle_comparison.comparison import Comparison, compare_bundles
from monai_gi.bundle_comparison.request import Budget, ComparisonRequest, parse_budget, parse_bundles

__all__ = ["Budget", "Comparison", "ComparisonRequest", "compare_bundles", "parse_budget", "parse_bundles"]
