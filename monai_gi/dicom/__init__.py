"""DICOM read with pydicom: series found, sorted, checked; pixels, contours, segments. Millimetres are LPS here."""
