"""One model, trained and saved once; each test that damages it has a copy."""

import shutil

import pytest
from tests.model.artifacts import SAMPLE, fitted

from veredito import model


@pytest.fixture(scope="session")
def trained():
    return fitted()


@pytest.fixture(scope="session")
def original(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "fraud"
    model.save(trained.step, folder, sample=SAMPLE, log=trained.log, metrics={"auc": 0.9})
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "fraud")
