"""Small models to save, and ways to tamper with what was saved, hashes and all."""

import msgspec
from tests.learn.cases import payments

from veredito import learn
from veredito.model.files import MANIFEST, entry_of
from veredito.model.manifest import Manifest

PAYMENTS = payments()
SAMPLE = PAYMENTS.drop("prediction", "other", "fraud", "loss", "grade")
ROWS = SAMPLE.select("amount", "tenure", "merchant").to_dicts()


def fitted(cap=200, trees=10):
    """Steps, and what training logged: texts, arrays, a LightGBM model, and what comes after it."""
    learner = learn.pipeline(
        learn.imputer(["tenure"]),
        learn.capper(["amount", "tenure"], bounds={"amount": cap}),
        learn.label_encoder(["merchant"], keep_as="shop"),
        learn.lightgbm_classifier(["amount", "tenure", "merchant"], target="fraud", num_trees=trees),
        learn.isotonic_calibrator(target="fraud"),
        learn.ecdf(),
    )
    return learner(PAYMENTS)


def read(folder):
    """The folder's files, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def forge(folder, contents=None, **changed):
    """Write other contents and other words in the manifest, with sizes, hashes, version and seal to match."""
    manifest = Manifest.decode((folder / MANIFEST).read_bytes())
    entries = dict(manifest.files)
    for name, data in (contents or {}).items():
        (folder / name).write_bytes(data)
        entries[name] = entry_of(data)
    forged = msgspec.structs.replace(manifest, **{"files": entries} | changed)
    (folder / MANIFEST).write_bytes(forged.encode())
