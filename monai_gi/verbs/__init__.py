"""What the command `monai-gi` does: `VERBS` has one function for each of its verbs, by the name of the verb."""

from monai_gi.verbs import bundles, contours, indexing, looking, phantoms

VERBS = {
    verb.__name__: verb
    for verb in (
        contours.predict, contours.series, contours.compare,
        bundles.pack, bundles.inspect, bundles.compare_bundles, bundles.render_bundles,
        indexing.index_uw_madison, indexing.index_dicom, indexing.index_cvc_clinicdb, indexing.index_biopsy,
        indexing.leaks,
        phantoms.phantom_uw_madison, phantoms.phantom_dicom, phantoms.phantom_cvc_clinicdb, phantoms.phantom_biopsy,
        looking.app, looking.report, looking.show, looking.doctor, looking.completion,
    )
}  # fmt: skip
