"""The command line as a person meets it."""

import subprocess
import sys

import pytest

VERBS = ("check", "serve", "graph", "profile", "model", "record")


def veredito(*arguments):
    command = [sys.executable, "-m", "veredito", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_verb_is_listed_with_what_it_does():
    """Without arguments it says what can be done."""
    listed = {line.split()[1]: line.split()[2:] for line in veredito().stdout.splitlines() if "│" in line}

    assert {verb for verb in VERBS if len(listed[verb]) > 3} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself(verb):
    """`--help` of each verb works, with all its parameters."""
    told = veredito(verb, "--help")

    assert told.returncode == 0
    assert f"veredito {verb}" in told.stdout


def test_a_misspelled_verb_is_met_with_the_nearest():
    """And with an exit code that a script sees."""
    told = veredito("serv")

    assert told.returncode != 0
    assert 'Did you mean "serve"?' in told.stdout + told.stderr


def test_a_mistake_is_told_in_words(tmp_path):
    """A config that is not there: no traceback."""
    told = veredito("serve", tmp_path / "no.toml")

    assert told.returncode == 2
    assert "no such file" in told.stderr
    assert "Traceback" not in told.stderr
