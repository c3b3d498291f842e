"""The serving benchmark works: its model, its checks, its loads and its report."""

import asyncio
import json
import shutil

import pytest
from bench.serving import measure, open_loop, report, servers
from bench.serving.prepare import prepare
from bench.serving.rows import NAMES, requests
from bench.serving.steps import OUTPUTS, Scorer
from bench.serving.subjects import SUBJECTS

pytest.importorskip("lightgbm")
pytest.importorskip("sklearn")

LIMIT = SUBJECTS["limit"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model, prepared as the large one is."""
    return prepare(tmp_path_factory.mktemp("bench"), rows=400, trees=5, count=40)


@pytest.fixture(scope="module")
def server(folder):
    """The limit subject, serving the small model in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.serving.subjects.STORE", folder)
        with servers.Server(LIMIT, folder) as running:
            yield running


def prepared(folder):
    return [json.loads((folder / name).read_text()) for name in ("rows.json", "answers.json")]


def test_requests_are_seeded():
    """The same seed gives the same rows, with every field and some of them missing."""
    first, again = requests(20), requests(20)

    assert first == again
    assert all(list(row) == NAMES for row in first)
    assert any(value is None for row in first for value in row.values())


def test_prepared_once(folder):
    """What is there already is not trained again."""
    before = (folder / "model.txt").stat().st_mtime_ns

    prepare(folder, rows=400, trees=5, count=40)

    assert (folder / "model.txt").stat().st_mtime_ns == before


def test_a_row_alone_is_the_row_in_a_batch(folder):
    """The steps that the peers share give one row and many rows the same outputs."""
    rows, answers = prepared(folder)
    score = Scorer(folder)

    assert [score([row])[0] for row in rows] == answers


def test_the_limit_gives_the_answers(server, folder):
    """The hand-written handler agrees with the shared steps, one by one and all in one request."""
    rows, answers = prepared(folder)

    assert measure.check_answers(server, rows, answers) <= measure.TOLERANCE
    status, body = server.ask("POST", "/v1/predict", json.dumps(rows).encode())
    assert status == 200
    assert [answer["prediction"] for answer in json.loads(body)] == pytest.approx(
        [answer["prediction"] for answer in answers], abs=1e-9
    )


def test_a_wrong_answer_fails_the_run(server, folder):
    """A subject that answers something else is not timed."""
    rows, answers = prepared(folder)
    wrong = [answer | {"calibrated": answer["calibrated"] + 1e-6} for answer in answers]

    with pytest.raises(RuntimeError, match="limit, row 0: calibrated is"):
        measure.check_answers(server, rows, wrong)


def test_open_loop_counts_every_request(server, folder):
    """Every request that was due is answered and has a latency."""
    rows, _ = prepared(folder)
    bodies = [LIMIT.body(row) for row in rows]

    result = open_loop.measure(server.port, LIMIT.path, bodies, rate=200, seconds=0.3)

    assert result["failed"] == 0
    assert result["requests"] > 20
    assert result["p50_ms"] <= result["p99_ms"]


def test_open_loop_counts_refusals(server):
    """An answer that is not 200 is counted as failed."""
    result = open_loop.measure(server.port, LIMIT.path, [b"{}"], rate=100, seconds=0.2)

    assert result["failed"] == result["requests"] > 0


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_closed_loop_measures_and_fails_on_refusals(server, folder, tmp_path):
    """The summary of wrk is read, and refusals fail the run."""
    rows, _ = prepared(folder)

    result = measure.closed_loop(server, measure.write_bodies(server, rows, tmp_path), 2, 1)
    broken = tmp_path / "broken"
    broken.write_text("{}\n")

    assert result["rps"] > 0
    with pytest.raises(RuntimeError, match="not all answers of 200"):
        measure.closed_loop(server, broken, 2, 1)


def test_batch_counts_rows(server, folder):
    """A request of many rows is timed by its rows."""
    rows, _ = prepared(folder)

    result = measure.batch(server, rows, seconds=0.1)

    assert result["rows"] == len(rows)
    assert result["rows_per_second"] > 0


def test_a_server_that_does_not_start_says_why(tmp_path):
    """A subject that ends before it is ready shows its last words."""
    import dataclasses

    broken = dataclasses.replace(LIMIT, name="broken", arguments=("-c", "raise SystemExit('no such model')"))

    with (
        pytest.raises(RuntimeError, match=r"broken did not become ready:\nno such model"),
        servers.Server(broken, tmp_path),
    ):
        raise AssertionError("it cannot be entered")


def test_responses_by_length_and_by_chunk():
    """A response is whole when its length is there, or its last chunk."""
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"
    chunked = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"

    assert [open_loop.complete(sized), open_loop.complete(sized + b"}")] == [False, True]
    assert [open_loop.complete(chunked), open_loop.complete(chunked + b"0\r\n\r\n")] == [False, True]
    assert [open_loop.status(sized), open_loop.status(chunked)] == [200, 503]


def test_percentiles_are_exact():
    """A percentile is one of the values, not an estimate."""
    values = list(range(1, 201))

    assert [open_loop.percentile(values, part) for part in (50, 99, 100)] == [100, 198, 200]
    assert open_loop.percentile([3.0], 99) == 3.0


def test_every_subject_reads_its_own_answers():
    """Bodies are JSON, and each subject's reader finds the three outputs in its kind of answer."""
    flat = dict(zip(OUTPUTS, (0.1, 0.2, 3.0), strict=True))
    tensors = {"outputs": [{"name": name, "data": [value]} for name, value in flat.items()]}
    kinds = {"bentoml": [flat], "mlserver": tensors}

    for name, subject in SUBJECTS.items():
        assert subject.read(kinds.get(name, flat)) == (0.1, 0.2, 3.0)
        assert json.loads(subject.body(requests(1)[0]))


def numbers(rps):
    return {f"c{c}": {"rps": rps, "p50_ms": 1.0, "p99_ms": 2.0} for c in (1, 16, 64)}


def test_report_rewrites_only_the_marked_part(tmp_path, monkeypatch):
    """The page around the marks stays, and the table has the fastest first."""
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- serving: begin -->\nold\n<!-- serving: end -->\nafter\n")
    facts = {"ready_s": 1.0, "rss_mb": 100.0}
    machine = {"date": "d", "cores": 2, "processor": "p", "memory_gb": 8, "system": "s", "python": "3"}
    (tmp_path / "serving.json").write_text(json.dumps({"mlserver": numbers(10.0), "limit": numbers(50.0)}))
    (tmp_path / "service.json").write_text(
        json.dumps({"machine": machine, "limit": facts, "mlserver": facts})
    )
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "PLOT", tmp_path / "plot.svg")
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    report.report()

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.index("the limit, by hand") < text.index("MLServer")
    assert (tmp_path / "plot.svg").stat().st_size > 1000


def test_a_stall_is_felt_by_all_that_were_due():
    """Latency counts from when a request was due: a server that stops for a while shows it in many of them."""
    result = asyncio.run(stalled())

    assert result["requests"] > 50
    assert result["p50_ms"] > 20


async def stalled():
    """A server that answers nothing until its first request is 300 ms old."""
    opened = asyncio.Event()

    async def answer(reader, writer):
        while head := await reader.readline():
            if head == b"\r\n":
                await reader.readexactly(2)
                asyncio.get_running_loop().call_later(0.3, opened.set)
                await opened.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as served:
        port = served.sockets[0].getsockname()[1]
        return await asyncio.to_thread(open_loop.measure, port, "/", [b"{}"], 200, 0.4)
