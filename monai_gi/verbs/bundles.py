"""Share, check, compare and render bundles. A function a verb; heavy packages are imported inside."""

import argparse


def pack(options: argparse.Namespace) -> None:
    """Pack a bundle for others."""
    from monai_gi.sharing.pack import pack as pack_bundle

    max_bytes = int(options.max_megabytes * 1e6)
    path = pack_bundle(
        options.bundle,
        options.weights,
        options.output,
        sign=options.sign,
        allow=options.allow,
        max_bytes=max_bytes,
        version=options.version,
        scores=options.scores,
        overwrite=options.overwrite,
    )
    print(f"{path}: packed. Check it as its receiver would: monai-gi inspect {path}")


def inspect(options: argparse.Namespace) -> int:
    """Check a bundle before anything of it runs."""
    from monai_gi.sharing.inspection import inspect as inspect_bundle

    inspection = inspect_bundle(options.bundle, public_key=options.key)
    print(inspection.report(brief=options.brief))
    return 0 if inspection.ok else 1


def compare_bundles(options: argparse.Namespace) -> int:
    """Train and judge several bundles alike."""
    from monai_gi.bundle_comparison import ComparisonRequest, parse_bundles
    from monai_gi.bundle_comparison import compare_bundles as compare_all

    request = ComparisonRequest(
        bundles=parse_bundles(options.bundles),
        dataset_dir=options.dataset_dir,
        budget=options.budget,
        output=options.output,
        folds=options.folds,
        fold=options.fold,
        seed=options.seed,
        device=options.device,
        settings=tuple(options.set),
    )
    comparison = compare_all(request)
    print(comparison.text)
    return 0 if comparison.ok else 1


def render_bundles(options: argparse.Namespace) -> None:
    """Write bundles/NAME from bundles/source."""
    from monai_gi import render

    changed = render.write_bundles(options.source)
    print("\n".join(map(str, changed)) or "every bundle is as its source renders it")
