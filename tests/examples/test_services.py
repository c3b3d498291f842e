"""The played services: what they say follows from the seed, how they behave from the flags."""

import json
import random
import statistics
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import services as module
from services import PROFILES, Manners, profile


@pytest.mark.parametrize("kind", PROFILES)
def test_what_is_said_of_a_key_follows_from_the_seed(kind):
    """The same key is told the same way twice; another seed tells it another way."""
    keys = [str(key) for key in range(50)]
    said = [profile(kind, key, Manners()) for key in keys]

    assert said == [profile(kind, key, Manners()) for key in keys]
    assert said != [profile(kind, key, Manners(seed=1)) for key in keys]


def test_some_keys_are_unknown_as_often_as_asked_for():
    """Unknown keys are part of life, and set by a flag."""
    said = [profile("cards", str(key), Manners(unknown=0.2)) for key in range(2_000)]

    assert 0.15 < said.count(None) / len(said) < 0.25


def test_delays_have_the_median_and_the_tail_that_were_asked_for():
    """Half of the answers are below the median; the tail is far above it."""
    manners, chance = Manners(median_ms=3.0, tail=0.05, tail_ms=100.0), random.Random(0)
    delays_ms = [1e3 * manners.delay_seconds(chance) for _ in range(5_000)]

    assert 2.7 < statistics.median(delays_ms) < 3.5
    assert 0.01 < sum(delay > 40 for delay in delays_ms) / len(delays_ms) < 0.06


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    from company import free_port, wait_until_live

    port = free_port()
    process = subprocess.Popen(
        [sys.executable, module.__file__, "--port", str(port), "--errors", "0", "--unknown", "0.5"]
    )
    try:
        wait_until_live(f"http://127.0.0.1:{port}/livez", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def told(url):
    try:
        with urllib.request.urlopen(url) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        error.close()
        return None if error.code == 404 else error.code


@pytest.mark.parametrize("kind", PROFILES)
def test_a_service_answers_with_json(url, kind):
    """Over the network they say what the function says, and 404 where it says nothing."""
    said = {key: told(f"{url}/{kind}/{key}") for key in map(str, range(10))}

    assert said == {key: profile(kind, key, Manners(unknown=0.5)) for key in said}


def test_no_such_service_is_not_found(url):
    """A path that belongs to nobody is 404."""
    assert told(f"{url}/weather/today") is None
