"""What is not as it was saved is refused, with the reason, and without running any of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.model.artifacts import SAMPLE, forge, read

from veredito import model
from veredito.errors import ArtifactError, MissingExtraError
from veredito.model.files import FILES_MAX, MANIFEST, MANIFEST_BYTES_MAX, FileEntry
from veredito.model.manifest import Manifest

FILES = ("manifest.json", "state.json", "arrays.arrow", "parity.arrow", "0-lightgbm.txt")
PLACES = 40  # places tried in each file; `make torture` tries every byte


def manifest_of(folder):
    return Manifest.decode((folder / MANIFEST).read_bytes())


def test_these_are_all_the_files(original):
    """The tests below leave no file out."""
    assert sorted(path.name for path in original.iterdir()) == sorted(FILES)


class TestDamage:
    @pytest.mark.parametrize("name", FILES)
    def test_a_flipped_byte_is_found(self, folder, name):
        """Wherever it is, whichever bit; and the file is named."""
        size = (folder / name).stat().st_size

        for place in range(0, size, max(1, size // PLACES)):
            _flip_and_load(folder / name, place, 1 << place % 8)

    @pytest.mark.torture
    @pytest.mark.parametrize("name", FILES)
    def test_every_flipped_byte_is_found(self, folder, name):
        """No byte is left out."""
        for place in range((folder / name).stat().st_size):
            _flip_and_load(folder / name, place, 1 << place % 8)

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("share", [0, 0.5, 0.999])
    def test_a_truncated_file_is_found(self, folder, name, share):
        """As after a copy that was cut off."""
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

        with pytest.raises(ArtifactError, match=name):
            model.load(folder)

    @pytest.mark.parametrize("name", FILES)
    def test_a_missing_file_is_named(self, folder, name):
        """With what to do."""
        (folder / name).unlink()

        with pytest.raises(ArtifactError, match=rf"{name}: is missing\. Hint: copy the whole folder"):
            model.load(folder)

    def test_everything_that_is_wrong_is_said_at_once(self, folder):
        """One look is enough to know what to copy again."""
        (folder / "state.json").unlink()
        (folder / "parity.arrow").write_bytes(b"")
        (folder / "notes.txt").write_text("mine")

        with pytest.raises(ArtifactError) as caught:
            model.load(folder)

        said = str(caught.value)
        assert "3 problems" in said
        assert "state.json: is missing" in said
        assert "parity.arrow: has 0 bytes instead of" in said
        assert "notes.txt: is not listed in the manifest" in said

    @pytest.mark.parametrize("name", ["manifest.json", "state.json"])
    def test_a_link_is_no_file(self, folder, name, tmp_path):
        """Even one to the same bytes: what it leads to may change after it was checked."""
        shutil.move(folder / name, tmp_path / "elsewhere")
        (folder / name).symlink_to(tmp_path / "elsewhere")

        with pytest.raises(ArtifactError, match=f"{name}: is a link"):
            model.load(folder)

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
    def test_what_is_no_regular_file_is_refused(self, folder, make):
        """And nobody waits for a pipe that has no writer."""
        (folder / "state.json").unlink()
        make(folder / "state.json")

        with pytest.raises(ArtifactError, match=r"state\.json: (is not a regular file|cannot be read)"):
            model.load(folder)

    def test_a_folder_that_is_none_is_named(self, tmp_path):
        """It is said as it was given."""
        with pytest.raises(ArtifactError, match="nowhere: is no folder"):
            model.load(tmp_path / "nowhere")


def _flip_and_load(path, place, bit):
    data = bytearray(path.read_bytes())
    data[place] ^= bit
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=path.name):
        model.load(path.parent)
    data[place] ^= bit
    path.write_bytes(data)


class TestManifest:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b"", "cannot be read"),
            (b"[]", "cannot be read"),
            (b"{}", "cannot be read .*format"),
            (b'{"format": NaN}', "cannot be read"),
            (b'{"format": "1"}', "cannot be read"),
            (b'{"format": 1}', "cannot be read"),
            (b"[" * 100_000, "cannot be read"),
            (b'{"a":' * 100_000, "cannot be read"),
            (b"\xff\xfe{", "cannot be read"),
            (b"\x80\x04\x95", "cannot be read"),
        ],
    )
    def test_odd_json_is_refused(self, folder, text, reason):
        """Not an object, not a manifest, not UTF-8, nested without end, or a pickle."""
        (folder / MANIFEST).write_bytes(text)

        with pytest.raises(ArtifactError, match=rf"manifest\.json: {reason}"):
            model.load(folder)

    def test_a_future_format_asks_for_an_upgrade(self, folder):
        """Even if its form is one that is not known here."""
        (folder / MANIFEST).write_bytes(b'{"format": 2, "shape": "unheard of"}')

        with pytest.raises(ArtifactError, match=r"format 2 is not known here; available: 1\. Hint: upgrade"):
            model.load(folder)

    def test_an_older_format_asks_to_save_again(self, folder):
        """The only one that is older is none."""
        (folder / MANIFEST).write_bytes(b'{"format": 0}')

        with pytest.raises(ArtifactError, match=r"format 0 is not known here; available: 1\. Hint: save"):
            model.load(folder)

    def test_an_unknown_key_is_refused(self, folder):
        """What is not read would be believed to have an effect."""
        data = msgspec.json.decode((folder / MANIFEST).read_bytes()) | {"trusted": True}
        (folder / MANIFEST).write_bytes(msgspec.json.encode(data))

        with pytest.raises(ArtifactError, match=r"cannot be read .*unknown field `trusted`"):
            model.load(folder)

    @pytest.mark.parametrize(
        "edit", [{"created_at": "yesterday"}, {"metrics": {"auc": 1.0}}, {"version": "0" * 12}]
    )
    def test_an_edited_manifest_is_refused(self, folder, edit):
        """Whatever was edited, even where it changes no answer."""
        data = msgspec.json.decode((folder / MANIFEST).read_bytes()) | edit
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=1))

        with pytest.raises(ArtifactError, match=r"manifest\.json: was changed after it was saved"):
            model.load(folder)

    def test_the_same_json_in_another_spelling_is_refused(self, folder):
        """The seal is over bytes."""
        data = (folder / MANIFEST).read_bytes()
        (folder / MANIFEST).write_bytes(data + b"\n")

        with pytest.raises(ArtifactError, match="was changed after it was saved"):
            model.load(folder)

    def test_a_manifest_beyond_its_limit_is_not_read(self, folder):
        """It is parsed before its hash can be known, so its size is bounded first."""
        with (folder / MANIFEST).open("r+b") as file:
            file.truncate(MANIFEST_BYTES_MAX + 1)

        with pytest.raises(ArtifactError, match=rf"is {MANIFEST_BYTES_MAX + 1} bytes, and .* are allowed"):
            model.load(folder)

    @pytest.mark.parametrize(
        "name",
        [
            "../secret",
            "/etc/passwd",
            "a/b",
            "..",
            ".",
            ".hidden",
            "",
            "a\0b",
            "a\nb",
            "n" * 201,
            "é",
            "a\\b",
            MANIFEST,
        ],
    )
    def test_a_name_that_leaves_the_folder_is_refused(self, folder, name):
        """Before any file is opened."""
        forge(folder, files=manifest_of(folder).files | {name: FileEntry("0" * 64, 0)})

        with pytest.raises(ArtifactError, match="is not a file name that an artifact may have"):
            model.load(folder)

    def test_a_list_of_files_without_end_is_refused(self, folder):
        """A thousand are plenty."""
        many = {f"f{i}": FileEntry("0" * 64, 0) for i in range(FILES_MAX + 1)}
        forge(folder, files=many | manifest_of(folder).files)

        with pytest.raises(ArtifactError, match="are allowed"):
            model.load(folder)

    def test_a_manifest_without_parity_rows_is_refused(self, folder):
        """A model that proves nothing is not a model."""
        files = manifest_of(folder).files
        (folder / "parity.arrow").unlink()
        forge(folder, files={name: entry for name, entry in files.items() if name != "parity.arrow"})

        with pytest.raises(ArtifactError, match=r"lists no parity\.arrow"):
            model.load(folder)


class TestLibraries:
    @pytest.mark.parametrize(("version", "hint"), [("99.1.0", "99.1.0,<100"), ("3.3.5", "3.3.5,<4")])
    def test_another_major_version_is_refused(self, folder, version, hint):
        """With the command that installs the right one."""
        forge(folder, libraries=manifest_of(folder).libraries | {"lightgbm": version})

        with pytest.raises(
            ArtifactError, match=rf"lightgbm: is .* here, and the model was fitted with {version}.*{hint}"
        ):
            model.load(folder)

    def test_an_older_minor_version_is_refused(self, folder):
        """A library need not read what a later one wrote."""
        libraries = manifest_of(folder).libraries
        major, minor, *_ = libraries["lightgbm"].split(".")
        forge(folder, libraries=libraries | {"lightgbm": f"{major}.{int(minor) + 1}.0"})

        with pytest.raises(ArtifactError, match="lightgbm: is"):
            model.load(folder)

    def test_a_newer_patch_is_for_parity_to_judge(self, folder):
        """So is a version of what computes nothing."""
        libraries = manifest_of(folder).libraries
        major, minor, *_ = libraries["lightgbm"].split(".")
        forge(folder, libraries=libraries | {"lightgbm": f"{major}.{minor}.99", "numpy": "1.0"})

        assert model.load(folder).rows([]) == []

    def test_a_missing_library_is_named_with_its_install_command(self, folder, tmp_path):
        """In an environment that has everything but LightGBM."""
        packages = tmp_path / "site-packages"
        packages.mkdir()
        for source in {Path(msgspec.__file__).parents[1]}:
            for entry in source.iterdir():
                if (
                    not entry.name.startswith(("lightgbm", "__editable__", "_veredito"))
                    and entry.suffix != ".pth"
                ):
                    (packages / entry.name).symlink_to(entry)
        script = "import sys; from veredito import model; model.load(sys.argv[1])"
        paths = os.pathsep.join([str(packages), str(Path(model.__file__).parents[2])])

        done = subprocess.run(
            [sys.executable, "-S", "-c", script, folder],
            capture_output=True, text=True, env={"PYTHONPATH": paths, "PATH": os.environ["PATH"]},
        )  # fmt: skip

        assert MissingExtraError.__name__ in done.stderr
        assert "'lightgbm' is not installed" in done.stderr
        assert "pip install 'veredito[lightgbm]'" in done.stderr


class TestParity:
    def test_a_model_that_gives_other_numbers_is_refused(self, folder):
        """Whatever the reason: here, one digit of one leaf, with hashes to match."""
        text = read(folder)["0-lightgbm.txt"].decode()
        at = text.index(".", text.index("leaf_value=")) + 3
        digit = "1" if text[at] != "1" else "2"
        forge(folder, {"0-lightgbm.txt": (text[:at] + digit + text[at + 1 :]).encode()})

        with pytest.raises(
            ArtifactError, match=r"parity: output 'prediction': row \d+ .* is not what the table"
        ):
            model.load(folder)

    def test_answers_that_were_edited_are_refused(self, folder):
        """In the last bit of one number."""
        import io

        table = pl.read_ipc(io.BytesIO(read(folder)["parity.arrow"]))
        values = table["expected.calibrated"].to_numpy().copy()
        values[7] = np.nextafter(values[7], 2.0)
        _forge_parity(folder, table.with_columns(pl.Series("expected.calibrated", values)))

        with pytest.raises(ArtifactError, match=r"parity: output 'calibrated': row 7 in one block"):
            model.load(folder)

    def test_a_manifest_cannot_allow_more_than_the_engines_need(self, folder):
        """The same edit, with a tolerance that would let anything pass."""
        self.test_answers_that_were_edited_are_refused(folder)
        forge(folder, tolerance=1e300)

        with pytest.raises(ArtifactError, match=r"parity: output 'calibrated'"):
            model.load(folder)

    def test_parity_without_rows_is_refused(self, folder):
        """It would prove nothing."""
        _forge_parity(folder, pl.read_ipc(read(folder)["parity.arrow"])[:0])

        with pytest.raises(ArtifactError, match=r"parity\.arrow: has no rows"):
            model.load(folder)

    def test_parity_without_a_column_is_refused(self, folder):
        """Each column that is missing is named."""
        table = pl.read_ipc(read(folder)["parity.arrow"])
        _forge_parity(folder, table.drop("amount", "expected.calibrated"))

        with pytest.raises(ArtifactError, match=r"(?s)lacks the column 'amount'.*'expected\.calibrated'"):
            model.load(folder)


def _forge_parity(folder, table):
    import io

    sink = io.BytesIO()
    table.write_ipc(sink)
    forge(folder, {"parity.arrow": sink.getvalue()})


def test_a_parity_table_proves_more_than_the_sample(original):
    """Beside the sample's rows there are edge rows: every field missing, infinite or never seen."""
    import io

    table = pl.read_ipc(io.BytesIO(read(original)["parity.arrow"]))

    assert table.height > 64
    assert table["amount"].is_infinite().sum() == 2
    assert table["merchant"].str.contains("never seen").sum() == 1
    assert (
        table.select(SAMPLE.select("amount", "tenure", "merchant").columns).null_count().min_horizontal()[0]
        >= 1
    )
