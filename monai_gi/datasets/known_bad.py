"""Scans of UW-Madison GI Tract whose published contours are wrong, each with who says so."""

_AUTHORS = (
    "listed as having known annotation issues by the data's authors: "
    "https://github.com/happyharrycn/UW-Madison-GI-Tract-Segmentation-Data-Tools/blob/main/common.py"
)
_CONTESTANTS = "slices {slices} dropped by contestants as wrongly annotated; not on the authors' list"

KNOWN_BAD_SCANS = {
    "case7_day0": _AUTHORS,
    "case9_day27": _AUTHORS,
    "case13_day0": _AUTHORS,
    "case34_day20": _AUTHORS,
    "case43_day18": _AUTHORS,
    "case43_day26": _AUTHORS,
    "case61_day14": _AUTHORS,
    "case81_day30": _AUTHORS,
    "case83_day11": _AUTHORS,
    "case85_day23": _CONTESTANTS.format(slices="119 to 124"),
    "case90_day29": _CONTESTANTS.format(slices="115 to 119"),
    "case124_day19": _AUTHORS,
    "case138_day0": _AUTHORS,
    "case144_day15": _AUTHORS,
}
