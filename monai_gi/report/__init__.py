"""`monai-gi report`: one HTML file about runs and evaluations, for somebody who has two minutes; as PDF too."""

from monai_gi.report.writing import REPORT_HTML, report_evaluation, write_report

__all__ = ["REPORT_HTML", "report_evaluation", "write_report"]
