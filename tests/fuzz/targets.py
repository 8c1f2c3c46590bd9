"""All that is called, by name, and what is left out with the reason."""

from tests.fuzz import functions, models

TARGETS = {target.name: target for target in functions.TARGETS + models.TARGETS}

# Of what is public; modules of torch get tensors that estimators have checked.
EXCEPTIONS = {
    "backbones": "modules of torch, which estimators build",
    "bottlenecks": "modules of torch, which estimators build",
    "perceptual": "modules of torch, and weights to download",
    "images": "internal: the door of the estimators",
    "recipes.": "mappings: nothing is called",
    "datasets.fetch_": "downloads",
    "datasets.load_": "reads files; tests/datasets has damaged ones",
    "datasets.save_images": "writes files; tests/datasets has bad arguments",
    "datasets.save_masks": "writes files; tests/datasets has bad arguments",
    ".plot": "called by the other methods of a Display",
    "AtomsDisplay.mosaic": "called by plot",
    "SegmentationDisplay.foregrounds": "called by plot",
    "SegmentationDisplay.segments": "called by plot",
    "SparseCodes.save(": "writes files; tests/codes/test_storage.py",
    "SparseCodes.load(": "reads files; tests/codes/test_storage.py has damaged ones",
    "codes.save_codes(": "writes files; tests/codes/test_storage.py has bad arguments",
    "codes.load_codes(": "reads files; tests/codes/test_storage.py has damaged ones",
    "sklearn_sparsevae.save(": "writes files; tests/persistence has bad arguments",
    "sklearn_sparsevae.load(": "reads files; tests/persistence has damaged ones",
    "Denoiser": "tests/estimators/test_denoiser.py has bad images and strengths",
    "commands.program": "tests/commands has bad arguments and files",
    "export_onnx": "writes files; tests/estimators/test_export.py has bad arguments",
    "Display(": "stores what the other methods of a Display have checked",
}
