"""What changed from one model to another, as the command line says it."""

import json
import subprocess
import sys

import msgspec
import pytest
from tests.model.artifacts import PAYMENTS, SAMPLE, fitted, forge

from veredito import learn, model
from veredito.cli import app
from veredito.schema import Field, Schema


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Like the original, with another bound, fewer trees, no rank, a narrower schema and a better metric."""
    folder = tmp_path_factory.mktemp("models") / "fraud-v2"
    step = fitted(cap=150, trees=5).step
    inner = type(step)(step.names[:-1], step.steps[:-1])
    inputs = Schema(
        "FraudInput",
        [
            Field("amount", "float", minimum=-1e308),
            Field("tenure", "float", nullable=True),
            Field("merchant", "text", nullable=True),
        ],
    )
    model.save(inner, folder, sample=SAMPLE, inputs=inputs, metrics={"auc": 0.95, "brier": 0.1}, name="fraud")
    return folder


def run(*arguments):
    """The exit code of a command, in this process."""
    with pytest.raises(SystemExit) as caught:
        app(["model", *map(str, arguments)])
    return caught.value.code or 0


def found(before, after):
    return {(c.part, c.place): c for c in model.changes(before, after)}


class TestChanges:
    def test_a_model_and_its_copy_are_the_same(self, original, folder):
        """So is one that was saved again."""
        assert model.changes(original, folder) == []

    def test_every_part_that_changed_is_named(self, original, other):
        """Steps by their names in the pipeline, values by where they are."""
        change = found(original, other)

        assert change["steps", "capper"].what == "high[0] changed"
        assert (change["steps", "capper"].before, change["steps", "capper"].after) == ("200.0", "150.0")
        assert change["steps", "ecdf"].what == "removed"
        assert change["steps", "lightgbm_classifier"].what == "text changed"
        assert change["inputs", "amount"].what == "changed: rows that fitted are refused"
        assert change["outputs", "prediction_ecdf"].what.startswith("removed")
        assert (change["metrics", "auc"].before, change["metrics", "auc"].after) == ("0.9", "0.95")
        assert change["metrics", "brier"].what == "added"
        assert ("steps", "imputer") not in change

    def test_engines_and_libraries_are_compared(self, original, folder):
        """Even where every number is the same."""
        manifest = model.Manifest.decode((folder / "manifest.json").read_bytes())
        state = msgspec.json.decode((folder / "state.json").read_bytes())
        text = json.dumps(state)
        swapped = text.replace('"engine": "c"', '"engine": "native"')
        if swapped == text:
            swapped = text.replace('"engine": "native"', '"engine": "c"')
        forge(folder, {"state.json": swapped.encode()}, libraries=manifest.libraries | {"lightgbm": "4.0.0"})

        change = found(original, folder)

        assert set(change) == {("engines", "lightgbm_classifier"), ("libraries", "lightgbm")}

    def test_a_step_of_another_kind_is_said(self, tmp_path):
        """Under the name that both have."""
        for name, learner in {
            "a": learn.capper(["x"], name="x"),
            "b": learn.imputer(["x"], name="x"),
        }.items():
            table = PAYMENTS.select(x="tenure")
            model.save(learn.pipeline(learner)(table).step, tmp_path / name, sample=table, name="m")

        assert found(tmp_path / "a", tmp_path / "b")["steps", "x"].what == "is another kind"


class TestInspect:
    def test_it_shows_what_the_model_is(self, original, capsys):
        """Version, steps, fields, engines, metrics and libraries."""
        assert run("inspect", original) == 0

        said = capsys.readouterr().out
        version = model.load(original).version
        for part in (
            f"fraud {version}",
            "lightgbm",
            "isotonic",
            "amount",
            "float or missing",
            "auc",
            "chosen",
        ):
            assert part in said

    def test_json_is_the_manifest(self, original, capsys):
        """For other programs."""
        assert run("inspect", original, "--json") == 0

        assert json.loads(capsys.readouterr().out)["seal"] == model.load(original).manifest.seal

    def test_a_damaged_model_is_an_error(self, folder):
        """In words, by the whole command, with exit code 2."""
        (folder / "state.json").write_bytes(b"")
        done = subprocess.run(
            [sys.executable, "-m", "veredito", "model", "inspect", folder], capture_output=True, text=True
        )

        assert done.returncode == 2
        assert done.stderr.startswith("cannot use model artifact: ")
        assert "state.json: has 0 bytes" in done.stderr


class TestVerify:
    def test_a_good_model_is_good(self, original, capsys):
        """Exit code 0, and what was proven."""
        assert run("verify", original) == 0

        assert "is good: 4 files as saved" in capsys.readouterr().out

    def test_a_damaged_model_is_not(self, folder, capsys):
        """Exit code 1, with every reason."""
        (folder / "state.json").unlink()

        assert run("verify", folder) == 1
        assert "state.json: is missing" in capsys.readouterr().out

    @pytest.mark.parametrize("damage", [False, True])
    def test_json_says_the_same(self, folder, capsys, damage):
        """Whether it is good, and why not."""
        if damage:
            (folder / "state.json").unlink()

        assert run("verify", folder, "--json") == int(damage)

        said = json.loads(capsys.readouterr().out)
        assert said["ok"] is not damage
        assert ("problems" in said) is damage

    def test_a_signature_can_be_required(self, folder, tmp_path, capsys):
        """By the public key's file."""
        from tests.model.test_signature import OURS, pem

        (tmp_path / "key.pem").write_bytes(pem(OURS.public_key()))

        assert run("verify", folder, "--public-key", tmp_path / "key.pem") == 1
        assert "a signature is required, and there is none" in capsys.readouterr().out


class TestDiff:
    def test_it_tells_the_changes_and_says_so_by_its_exit_code(self, original, other, capsys):
        """As diff does: 1 where something differs."""
        assert run("diff", original, other) == 1

        said = capsys.readouterr().out
        assert "capper" in said
        assert "150.0" in said

    def test_the_same_model_is_the_same(self, original, folder, capsys):
        """Exit code 0."""
        assert run("diff", original, folder) == 0
        assert "nothing changed" in capsys.readouterr().out

    def test_json_has_every_change(self, original, other, capsys):
        """For other programs."""
        assert run("diff", original, other, "--json") == 1

        assert json.loads(capsys.readouterr().out) == msgspec.to_builtins(model.changes(original, other))
