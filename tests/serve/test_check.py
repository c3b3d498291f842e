"""What is wrong with a project is said before anything runs, all of it at once."""

import json
import shutil
import subprocess
import sys

import pytest
from tests.serve.conftest import EVENT

from veredito.errors import ConfigError
from veredito.serve.assemble import Role, assemble
from veredito.testing.service import ServiceFailedError, running_service


def change(project, old, new, file="service.toml"):
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def problems(project, **environment):
    with pytest.raises(ConfigError) as caught:
        assemble(project / "service.toml", environment)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture(autouse=True)
def _fresh_import(monkeypatch):
    """The user's module is another one in each test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("payments", None)


def test_a_good_project_has_no_problems(project):
    """It assembles to a graph whose node is the whole decision."""
    service = assemble(project / "service.toml", {})

    assert {"payment", "customer", "features", "applicable", "fraud", "policy", "decision"} <= set(
        service.graph.nodes
    )
    assert service.warnings == ()


def test_all_mistakes_of_a_config_are_listed_at_once(project):
    """Unknown keys with the nearest known one, wrong types, bad limits, missing keys."""
    change(project, 'name = "payments"', 'nam = "payments"\nport = 99999')
    change(project, 'features = "features"', 'feature = "features"')
    change(project, 'fallback = { action = "review", reason = "no decision could be made" }', "")
    change(project, '[record]\nfolder = "record"', "[record]\nfolder = 3\n[recrod]")
    change(project, 'kind = "table"', 'kind = "tabel"')

    found = problems(project)

    for text in [
        "[recrod]: unknown key",
        "did you mean 'record'?",
        "[service].nam: unknown key",
        "[service].name: is required",
        "[service].port: expected `int` <= 65535",
        "[models.fraud].feature: unknown key",
        "[decision.fallback]: is required",
        "[record].folder: expected `str`, got `int`",
        "[sources.customers].kind: unknown kind",
    ]:
        assert any(text in line for line in found), (text, found)


def test_all_that_a_config_names_is_looked_at(project):
    """Sources, models, modules and fields: each with what was available."""
    change(project, 'kind = "table"', 'kind = "tabel"')
    change(project, 'artifact = "model"', 'artifact = "no-model"')
    change(project, '"payments:policy"', '"payments:polcy"')
    change(project, 'key = "customer_id"\nevent', 'key = "customer"\nevent')

    found = "\n".join(problems(project))

    assert "did you mean 'table'?" in found
    assert "[models.fraud]" in found
    assert "module 'payments' has no 'polcy'; available: policy. Hint: did you mean 'policy'?" in found
    assert "[decision].key: no field 'customer'" in found


def test_a_node_that_is_not_there_is_named(project):
    """Every place that asks for it, and what there is."""
    change(project, 'features = "features"', 'features = "featuers"')
    change(project, '"applicable"', '"aplicable"')

    found = "\n".join(problems(project))

    assert "[models.fraud].features: no node 'featuers'" in found
    assert "[decision].pre_policy.node: no node 'aplicable'" in found
    assert "did you mean 'applicable'?" in found


def test_a_rule_over_an_unknown_node_is_a_problem(project):
    """The graph is checked with the policy in it."""
    change(project, "lambda customer: customer is None", "lambda custommer: custommer is None", "payments.py")

    found = "\n".join(problems(project))

    assert "custommer" in found
    assert "customer" in found


def test_a_module_that_cannot_be_imported_is_a_problem(project):
    """The user's own error is told, with its place in the config."""
    change(project, "import msgspec", "import mgspec", "payments.py")

    assert any("cannot import 'payments'" in line and "mgspec" in line for line in problems(project))


def test_names_of_the_service_are_its_own(project):
    """A node cannot be called as a model, or as the decision."""
    change(project, "def applicable(payment)", "def decision(payment)", "payments.py")
    change(project, '"applicable"', '"decision"')

    assert any("belongs to a model or to the service" in line for line in problems(project))


def test_an_artifact_with_a_changed_byte_does_not_load(project, model_folder, tmp_path):
    """Every file is covered by its hash."""
    (project / "model").unlink()
    for path in sorted(path.relative_to(model_folder) for path in model_folder.rglob("*") if path.is_file()):
        shutil.copytree(model_folder, project / "model")
        data = bytearray((project / "model" / path).read_bytes())
        data[len(data) // 2] ^= 1
        (project / "model" / path).write_bytes(data)

        assert any("[models.fraud]" in line for line in problems(project)), path
        shutil.rmtree(project / "model")


def test_the_environment_stands_above_the_file(project):
    """`VEREDITO__SERVICE__PORT` overrides, and its mistakes are said as the file's."""
    service = assemble(project / "service.toml", {"VEREDITO__SERVICE__PORT": "9000"})

    assert service.config.service.port == 9000
    assert "[service].porto: unknown key" in problems(project, VEREDITO__SERVICE__PORTO="1")[0]


def test_a_file_that_is_not_there_or_not_toml(project):
    """The first says what there is, the second where it breaks."""
    with pytest.raises(ConfigError, match=r"no such file; available: service\.toml"):
        assemble(project / "servce.toml", {})
    change(project, "[service]", "[service")
    assert "line 2" in problems(project)[0]


def test_models_alone_need_nothing_else(project):
    """With the model role a broken decision does no harm."""
    (project / "payments.py").unlink()

    service = assemble(project / "service.toml", {}, role=Role.MODEL)

    assert set(service.predictors) == {"fraud"}
    assert service.decider is None


def test_the_command_line_lists_problems_and_says_so_by_its_exit_code(project):
    """0 when good, 1 when not, and a traceback never."""

    def check():
        return subprocess.run(
            [sys.executable, "-m", "veredito", "check", str(project / "service.toml")],
            capture_output=True,
            text=True,
        )

    good = check()
    assert (good.returncode, good.stdout) == (0, "service.toml is good: 1 model(s), 1 source(s), 9 nodes\n")
    change(project, 'name = "payments"', 'nam = "payments"')
    bad = check()
    assert bad.returncode == 1
    assert "did you mean 'name'?" in bad.stdout
    assert "Traceback" not in bad.stdout + bad.stderr


def test_a_service_with_problems_does_not_start(project):
    """`serve` says what `check` says, and ends."""
    change(project, 'artifact = "model"', 'artifact = "no-model"')

    with (
        pytest.raises(ServiceFailedError, match=r"\[models\.fraud\]"),
        running_service(project / "service.toml"),
    ):
        raise AssertionError("it started")


def test_a_config_hash_follows_the_resolved_config(project):
    """Another deadline is another config; the same file is the same."""
    from veredito.serve.config import config_hash, read_config

    path = project / "service.toml"

    assert config_hash(read_config(path, {})) == config_hash(read_config(path, {}))
    assert config_hash(read_config(path, {})) != config_hash(
        read_config(path, {"VEREDITO__SERVICE__DEADLINE_MS": "5"})
    )


def test_the_graph_is_drawn_and_one_run_of_it(project, tmp_path):
    """SVG and Mermaid of the whole decision; with an event, what it waited for."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps(EVENT))

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "veredito",
            "graph",
            str(project / "service.toml"),
            "--out",
            str(tmp_path / "pictures"),
            "--event",
            str(event),
        ],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    pictures = {path.name: path.read_text() for path in (tmp_path / "pictures").iterdir()}
    assert set(pictures) == {"graph.svg", "graph.mmd", "waterfall.svg"}
    for name in ("customer", "fraud", "policy", "preliminary", "decision"):
        assert name in pictures["graph.svg"]
        assert name in pictures["graph.mmd"]
    assert "customer" in pictures["waterfall.svg"]
