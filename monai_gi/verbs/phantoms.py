"""Draw data sets to try things on. A function a verb; heavy packages are imported inside."""

import argparse


def phantom_uw_madison(options: argparse.Namespace) -> None:
    """Draw a data set in the layout of the contest."""
    from monai_gi.datasets.phantom.scans import SLICE_SPACING_MM, short_scan_spacing_mm
    from monai_gi.datasets.phantom.uw_madison import write_uw_madison

    write_uw_madison(
        options.dir,
        cases=options.cases,
        days=options.days,
        slices=options.slices,
        seed=options.seed,
        full_size=options.full_size,
    )
    spacing_mm = SLICE_SPACING_MM if options.full_size else short_scan_spacing_mm(options.slices)
    far = f" --slice_spacing_mm {spacing_mm:.1f}" if spacing_mm > SLICE_SPACING_MM else ""
    print(f"{options.dir}: drawn. Train on it with --dataset_dir {options.dir}{far}")


def phantom_dicom(options: argparse.Namespace) -> None:
    """Draw MR series as DICOM."""
    from monai_gi.drawing import draw_dicom

    folders = draw_dicom(
        options.dir,
        kinds=tuple(options.kind or ("axial",)),
        patients=options.patients,
        slices=options.slices,
        seed=options.seed,
        contours=options.contours,
    )
    print(f"{options.dir}: {len(folders)} series drawn. List them with: monai-gi series {options.dir}")


def phantom_cvc_clinicdb(options: argparse.Namespace) -> None:
    """Draw frames of colonoscopy."""
    from monai_gi.datasets.phantom.cvc_clinicdb import write_cvc_clinicdb

    write_cvc_clinicdb(options.dir, sequences=options.sequences, frames=options.frames, seed=options.seed)
    print(f"{options.dir}: drawn. Train on it with --dataset_dir {options.dir}")


def phantom_biopsy(options: argparse.Namespace) -> None:
    """Draw slides of biopsies."""
    from monai_gi.datasets.phantom.biopsy import write_biopsy

    write_biopsy(options.dir, slides=options.slides, megapixels=options.megapixels, seed=options.seed)
    index = f"monai-gi index biopsy {options.dir} --colors {options.dir / 'colors.yaml'}"
    print(f"{options.dir}: drawn. Index it with: {index}")
