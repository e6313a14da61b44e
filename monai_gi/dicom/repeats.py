"""Why several slices stand at one place: the header values in which they differ, such as echo or time."""

import warnings
from collections.abc import Sequence

from pydicom import Dataset, dcmread

from monai_gi.dicom.headers import READ_ERRORS, frame_groups
from monai_gi.dicom.series import Frame

TELLING = (
    *("EchoTime", "EffectiveEchoTime", "EchoNumbers", "DiffusionBValue", "DiffusionDirectionality"),
    *("TemporalPositionIdentifier", "TemporalPositionIndex", "TriggerTime", "NominalCardiacTriggerDelayTime"),
    *("InversionTime", "InversionTimes", "FlipAngle", "RepetitionTime", "ImageType", "FrameType", "StackID"),
    *("AcquisitionNumber", "FrameAcquisitionNumber", "AcquisitionTime", "FrameAcquisitionDateTime"),
    *("FrameReferenceDateTime", "ContentTime", "InstanceNumber"),
)
GROUPS = (
    *("FrameContentSequence", "MREchoSequence", "MRDiffusionSequence", "MRImageFrameTypeSequence"),
    *("MRModifierSequence", "MRTimingAndRelatedParametersSequence", "CardiacSynchronizationSequence"),
)
TOLD = 3


def differing_values(frames: Sequence[Frame]) -> str:
    """Name what differs between frames of one place, most telling first.

    Args:
        frames: of one place; their headers are read again.

    Returns:
        Such as "EchoTime (2.3, 4.6), AcquisitionNumber (1, 2)"; "" where nothing of `TELLING` differs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        values = [_values(frame) for frame in frames]
    told = []
    for keyword in TELLING:
        several = list(dict.fromkeys(value.get(keyword, "none") for value in values))
        if len(several) > 1:
            told.append(f"{keyword} ({', '.join(several)})")
    return ", ".join(told[:TOLD])


def _values(frame: Frame) -> dict[str, str]:
    try:
        dataset = dcmread(frame.path, stop_before_pixels=True, force=True)
        find = frame_groups(dataset)
        places: list[Dataset] = [dataset, *(group for name in GROUPS if (group := find(frame.index, name)) is not None)]
        return {keyword: str(place[keyword].value) for place in places for keyword in TELLING if keyword in place}
    except READ_ERRORS:
        return {}
