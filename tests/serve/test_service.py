"""The service as its users meet it: a process, a port, JSON."""

import json
import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar
from urllib.parse import urlsplit

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.serve.conftest import EVENT, get, post, write_project

from veredito.testing.service import running_service


def records(project, service):
    """Stop the service and read what it recorded."""
    assert service.stop() == 0
    return pl.read_parquet(project / "record" / "parquet" / "**/*.parquet")


@pytest.fixture(scope="module")
def standing(tmp_path_factory, model_folder):
    """One service for the tests that only ask: none of them may change what another one sees."""
    folder = tmp_path_factory.mktemp("standing")
    write_project(folder, model_folder)
    with running_service(folder / "service.toml") as service:
        yield service


class TestDecide:
    @pytest.mark.parametrize(
        ("changes", "action", "source"),
        [
            ({}, "approve", "policy"),
            ({"amount": 950.0}, "decline", "policy"),
            ({"customer_id": 99}, "review", "policy"),
            ({"amount": 0.5}, "approve", "pre_policy"),
        ],
        ids=["good", "risky", "unknown customer", "small"],
    )
    def test_an_event_is_decided(self, service, changes, action, source):
        """Features are fetched, the model scores, the policy decides; the pre-policy comes first."""
        reply = post(service, "/v1/decide", EVENT | changes)

        assert reply.status == 200
        assert (reply.json["action"], reply.json["source"]) == (action, source)
        assert (reply.json["score"] is None) == (source == "pre_policy")

    def test_every_answer_is_on_disk_with_what_led_to_it(self, project, service):
        """One row an answer, typed columns, and nothing is missing."""
        answers = [
            post(service, "/v1/decide", EVENT | {"amount": float(amount)}).json for amount in range(50)
        ]

        table = records(project, service)

        assert sorted(table["decision_id"]) == sorted(answer["decision_id"] for answer in answers)
        by_id = {row["decision_id"]: row for row in table.iter_rows(named=True)}
        for amount, answer in enumerate(answers):
            row = by_id[answer["decision_id"]]
            assert row["input_amount"] == amount
            assert row["action"] == answer["action"]
            assert row["source"] == answer["source"]
        assert table["input_amount"].dtype == pl.Float64

    def test_a_request_id_is_echoed_and_recorded(self, project, service):
        """The caller's own id leads to the record."""
        reply = post(service, "/v1/decide", EVENT, x_request_id="caller-7")

        assert reply.headers["x-request-id"] == "caller-7"
        assert records(project, service)["request_id"].to_list() == ["caller-7"]

    def test_the_time_in_each_stage_is_told_on_demand(self, service):
        """`Server-Timing` names the stages, for who asks."""
        reply = post(service, "/v1/decide", EVENT, x_server_timing="1")

        named = [part.split(";")[0] for part in reply.headers["server-timing"].split(", ")]
        assert {"in_schema", "fetching", "in_adapter", "model", "out_adapter", "policy"} <= set(named)
        assert post(service, "/v1/decide", EVENT).headers["server-timing"] is None

    def test_a_rule_can_ask_how_a_value_came_to_be(self, project):
        """A default that stood in is told from an answer, and what the rule read is in the record."""
        module = project / "payments.py"
        text = module.read_text().replace(
            'when=lambda customer: customer is None, action="review", reason="customer unknown"',
            'when=lambda customer_outcome: not customer_outcome.ok, action="review", reason="nobody to ask"',
        )
        failing = text.replace("return await customers.get(payment.customer_id)", "raise OSError")
        module.write_text(
            failing.replace("async def customer(payment, customers)", "async def customer(payment)")
        )

        with running_service(project / "service.toml") as service:
            reply = post(service, "/v1/decide", EVENT)
            table = records(project, service)

        assert (reply.json["action"], reply.json["reasons"]) == ("review", ["nobody to ask"])
        rules = json.loads(table["rules"][0])
        assert rules[1] == {"rule": "R2", "fired": True, "read": {"customer_outcome.ok": False}}

    def test_a_refusal_is_recorded(self, project, service):
        """What was refused is on record, without what was sent."""
        post(service, "/v1/decide", {"amount": "secret"}, x_request_id="bad-1")

        table = records(project, service)

        assert table.select("request_id", "status", "error", "action").rows() == [
            ("bad-1", "refused", "invalid_input", None)
        ]
        assert "secret" not in str(table.rows())

    def test_a_failing_decision_becomes_the_declared_fallback(self, project, service):
        """A rule that cannot be evaluated is no approval."""
        assert service.stop() == 0
        module = project / "payments.py"
        module.write_text(
            module.read_text().replace("fraud.prediction_ecdf > 900", "fraud.no_such_thing > 900")
        )

        with running_service(project / "service.toml") as broken:
            reply = post(broken, "/v1/decide", EVENT)

            assert reply.status == 200
            assert reply.json["action"] == "review"
            assert reply.json["source"] == "fallback"
            assert reply.json["reasons"] == ["no decision could be made"]
            table = records(project, broken)
            assert table["status"].to_list() == ["failed"]
            assert table["error"].to_list() == ["AttributeError"]

    def test_an_answer_that_did_not_get_out_is_recorded_with_its_why(self, project, service):
        """The out-schema refuses what an adapter made: a fallback or a 500 for the caller, the cause on record."""
        assert service.stop() == 0
        (project / "adapters.py").write_text(
            "import msgspec\n"
            "class Answer(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):\n"
            "    prediction: float\n"
            "    prediction_ecdf: float\n"
            "def broken(answer):\n"
            "    return {'prediction': answer.prediction}\n"
        )
        config = project / "service.toml"
        stages = 'out_adapter = "adapters:broken"\nout_schema = "adapters:Answer"\n'
        config.write_text(config.read_text().replace("[models.fraud]\n", f"[models.fraud]\n{stages}"))

        with running_service(config) as broken:
            decided = post(broken, "/v1/decide", EVENT)
            predicted = post(broken, "/v1/predict", {"amount": 1.0}, x_request_id="p-1")
            table = records(project, broken).sort("request_id")

        assert (decided.status, decided.json["source"], predicted.status) == (200, "fallback", 500)
        why = "an output does not fit: prediction_ecdf: is required"
        assert table.filter(pl.col("request_id") == "p-1").select("status", "error").rows() == [
            ("failed", f"internal: {why}")
        ]
        assert f"OutputError: {why}" in table["error"].to_list()


class TestIdempotency:
    def test_the_same_request_twice_is_decided_once(self, project, service):
        """The first answer again, said to be so, and one record."""
        first = post(service, "/v1/decide", EVENT, idempotency_key="k-1")
        again = post(service, "/v1/decide", EVENT, idempotency_key="k-1")

        assert (again.status, again.body) == (200, first.body)
        assert (first.headers["idempotent-replayed"], again.headers["idempotent-replayed"]) == (None, "true")
        assert records(project, service)["decision_id"].to_list() == [first.json["decision_id"]]

    def test_a_key_is_kept_over_a_restart(self, project, service):
        """What was answered stays answered."""
        first = post(service, "/v1/decide", EVENT, idempotency_key="k-1")
        service.stop()

        with running_service(project / "service.toml") as later:
            assert post(later, "/v1/decide", EVENT, idempotency_key="k-1").body == first.body

    def test_a_key_belongs_to_one_body(self, service):
        """Another body under the same key is refused, and so is a key that is none."""
        post(service, "/v1/decide", EVENT, idempotency_key="k-1")

        other = post(service, "/v1/decide", EVENT | {"amount": 21.0}, idempotency_key="k-1")

        assert (other.status, other.error["code"]) == (422, "idempotency_conflict")
        assert post(service, "/v1/decide", EVENT, idempotency_key="x" * 256).status == 422

    def test_a_request_that_fails_validation_leaves_its_key_free(self, service):
        """A caller may mend its request and keep its key."""
        assert post(service, "/v1/decide", {}, idempotency_key="k-1").status == 422
        assert post(service, "/v1/decide", EVENT, idempotency_key="k-1").status == 200


class TestBadInput:
    @pytest.fixture
    def service(self, standing):
        return standing

    def test_every_offending_field_is_named_and_no_value_repeated(self, service):
        """One answer says all that is wrong."""
        body = {
            "payment_id": 7,
            "amount": -3.125,
            "chanel": "secret",
            "channel": "fax-secret",
            "at": "yesterday",
        }

        reply = post(service, "/v1/decide", body)

        assert reply.status == 422
        places = {problem["place"]: problem for problem in reply.error["problems"]}
        assert set(places) == {"payment_id", "amount", "chanel", "channel", "at", "customer_id"}
        assert places["chanel"]["hint"] == "did you mean 'channel'?"
        assert b"secret" not in reply.body
        assert b"3.125" not in reply.body
        assert b"yesterday" not in reply.body

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"{", 400),
            (b"\xff\xfe", 400),
            (b"[" * 100_000, 400),
            (b"[]", 400),
            (b"null", 400),
            (b'{"amount": NaN}', 422),
            (b'{"amount": 1e999}', 422),
        ],
    )
    def test_what_is_not_an_event_is_refused(self, service, body, status):
        """A 4xx, and the service goes on."""
        assert post(service, "/v1/decide", body).status == status
        assert post(service, "/v1/decide", EVENT).status == 200

    def test_a_body_over_the_limit_is_refused(self, service):
        """By its header, and by its length when it comes in chunks."""
        assert post(service, "/v1/decide", b" " * (1 << 20) + b"{}").status == 413
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(b"POST /v1/decide HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            for _ in range(17):
                connection.sendall(chunk)

            assert b"413" in connection.recv(1000).split(b"\r\n")[0]
        assert post(service, "/v1/decide", EVENT).status == 200

    def test_a_client_that_leaves_harms_nobody(self, service):
        """Half a request is dropped, and counted."""
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(b"POST /v1/decide HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")

        assert post(service, "/v1/decide", EVENT).status == 200

    @pytest.mark.parametrize("asked", ["0", "-1", "soon", "1.5"])
    def test_a_deadline_is_a_whole_number_of_milliseconds(self, service, asked):
        """A header that says nothing is refused, not ignored."""
        reply = post(service, "/v1/decide", EVENT, x_request_timeout_ms=asked)

        assert reply.status == 422
        assert reply.error["problems"][0]["place"] == "x-request-timeout-ms"

    def test_paths_and_methods_that_are_not_there(self, service):
        """404 and 405, as HTTP has them."""
        assert get(service, "/v1/nothing").status == 404
        assert get(service, "/v1/decide").status in {404, 405}


class TestPredict:
    @pytest.fixture
    def service(self, standing):
        return standing

    ROW: ClassVar = {"amount": 10.0, "age": 30.0}

    def test_one_in_one_out(self, service):
        """An object is answered with an object."""
        reply = post(service, "/v1/predict", self.ROW)

        assert reply.status == 200
        assert set(reply.json) == {"prediction", "prediction_ecdf"}

    def test_n_in_n_out_in_order(self, service):
        """Each row of an array has the answer that it has alone."""
        rows = [{"amount": float(amount), "age": 25.0} for amount in range(0, 1000, 37)] + [{"amount": 5.0}]

        together = post(service, "/v1/predict", rows).json

        assert together == [post(service, "/v1/predict/fraud", row).json for row in rows]

    def test_rows_are_named_in_errors(self, service):
        """A fault of a batch says which row."""
        reply = post(service, "/v1/predict", [self.ROW, self.ROW | {"amount": "x"}, self.ROW | {"agee": 1}])

        assert reply.status == 422
        assert [problem["place"] for problem in reply.error["problems"]] == ["[1].amount", "[2].agee"]

    @pytest.mark.parametrize(
        ("rows", "what"), [([], "an empty array"), ([ROW] * 1001, "more than 1000 rows")]
    )
    def test_a_batch_has_limits(self, service, rows, what):
        """None is too few; the limit is named."""
        reply = post(service, "/v1/predict", rows)

        assert reply.error["problems"][0]["what"] == what


class TestOpenInference:
    @pytest.fixture
    def service(self, standing):
        return standing

    def request(self, **changes):
        inputs = [
            {"name": "amount", "shape": [2], "datatype": "FP64", "data": [10.0, 900.0]},
            {"name": "age", "shape": [2, 1], "datatype": "INT32", "data": [30, None]},
        ]
        return {"id": "42", "inputs": inputs} | changes

    def test_tensors_are_scored_as_rows(self, service):
        """The protocol's answer has the numbers of `/v1/predict`."""
        reply = post(service, "/v2/models/fraud/infer", self.request())

        rows = post(service, "/v1/predict", [{"amount": 10.0, "age": 30.0}, {"amount": 900.0}]).json
        assert reply.json["id"] == "42"
        outputs = {tensor["name"]: tensor for tensor in reply.json["outputs"]}
        assert outputs["prediction"]["data"] == [row["prediction"] for row in rows]
        assert outputs["prediction"]["shape"] == [2]

    def test_metadata_describes_the_model(self, service):
        """Names, types and versions, as clients ask for them."""
        model = get(service, "/v2/models/fraud").json

        assert {tensor["name"]: tensor["datatype"] for tensor in model["inputs"]} == {
            "amount": "FP64",
            "age": "FP64",
        }
        assert get(service, f"/v2/models/fraud/versions/{model['versions'][0]}/ready").status == 200
        assert get(service, "/v2/models/other/ready").status == 404
        assert get(service, "/v2/health/ready").status == 200

    def test_tensors_that_do_not_fit_are_named(self, service):
        """All faults in one answer."""
        bad = [
            {"name": "amuont", "shape": [1], "datatype": "FP64", "data": [1.0]},
            {"name": "age", "shape": [3], "datatype": "BYTES", "data": ["x"]},
        ]

        reply = post(service, "/v2/models/fraud/infer", self.request(inputs=bad))

        assert reply.status == 422
        assert [problem["place"] for problem in reply.json["problems"]] == [
            "inputs.amuont",
            "inputs.age",
            "inputs.age",
        ]
        assert "inputs.amuont: no such field" in reply.error  # a text, as the protocol's clients expect
        assert post(service, "/v2/models/fraud/infer", {"inputs": 3}).status == 422


class TestOperations:
    def test_it_says_how_it_is(self, service):
        """Alive, ready, and described."""
        assert get(service, "/livez").status == 200
        assert get(service, "/readyz").json == {"ready": True}
        paths = get(service, "/openapi.json").json["paths"]
        assert {"/v1/decide", "/v1/predict", "/v1/predict/fraud"} <= set(paths)

    def test_metrics_count_what_happened(self, service):
        """Requests, decisions, stages and outcomes, in Prometheus' format."""
        for _ in range(3):
            post(service, "/v1/decide", EVENT)
        post(service, "/v1/decide", b"{")

        families = {
            family.name: family
            for family in text_string_to_metric_families(get(service, "/metrics").body.decode())
        }

        decided = {
            tuple(s.labels.values()): s.value
            for s in families["veredito_decisions"].samples
            if s.name.endswith("_total")
        }
        assert decided == {("approve", "policy"): 3.0}
        requests = {
            tuple(s.labels.values()): s.value
            for s in families["veredito_request_duration_seconds"].samples
            if s.name.endswith("_count")
        }
        assert requests == {("/v1/decide", "200"): 3.0, ("/v1/decide", "400"): 1.0}
        stages = {s.labels["stage"] for s in families["veredito_stage_duration_seconds"].samples}
        assert {"in_schema", "fetching", "model", "policy", "record"} <= stages
        bounds = {
            s.labels["le"] for s in families["veredito_stage_duration_seconds"].samples if "le" in s.labels
        }
        assert "1e-05" in bounds

    def test_what_is_in_flight_at_the_stop_signal_is_answered(self, project, service):
        """SIGTERM under load: every request that was accepted has its answer and its record."""
        with ThreadPoolExecutor(8) as pool:
            waiting = [
                pool.submit(post, service, "/v1/decide", EVENT | {"payment_id": str(i)}) for i in range(200)
            ]
            waiting[20].result()
            service.signal(signal.SIGTERM)
            answered = [future.result().json for future in waiting if future.exception() is None]

        assert service.wait() == 0
        table = pl.read_parquet(project / "record" / "parquet" / "**/*.parquet")
        assert len(answered) >= 21
        assert {answer["decision_id"] for answer in answered} <= set(table["decision_id"])
        assert table["decision_id"].is_unique().all()

    def test_keys_are_asked_for_where_the_config_says_so(self, project):
        """401 without a key, health without any."""
        config = project / "service.toml"
        config.write_text(config.read_text() + '[auth]\nkeys_environment = "PAYMENTS_KEYS"\n')
        with running_service(
            config, environment={"PAYMENTS_KEYS": "first-key-0123456789,second-key-0123456789"}
        ) as service:
            assert post(service, "/v1/decide", EVENT).status == 401
            assert post(service, "/v1/decide", EVENT, x_api_key="wrong-key-0123456789").status == 401
            assert post(service, "/v1/decide", EVENT, x_api_key="second-key-0123456789").status == 200
            assert (
                post(service, "/v1/decide", EVENT, authorization="Bearer first-key-0123456789").status == 200
            )
            assert get(service, "/readyz").status == 200
            assert "first-key" not in service.log

    def test_models_alone_are_served_by_several_workers(self, project):
        """N processes on one port answer alike, and their metrics add up."""
        with running_service(
            project / "service.toml", "--role", "model", environment={"VEREDITO__SERVICE__WORKERS": "2"}
        ) as service:
            row = {"amount": 10.0, "age": 30.0}
            with ThreadPoolExecutor(8) as pool:
                replies = list(pool.map(lambda _: post(service, "/v1/predict", row), range(40)))

            assert {reply.status for reply in replies} == {200}
            assert len({json.dumps(reply.json) for reply in replies}) == 1
            families = text_string_to_metric_families(get(service, "/metrics").body.decode())
            counted = [
                sample.value
                for family in families
                for sample in family.samples
                if sample.name == "veredito_request_duration_seconds_count"
            ]
            assert sum(counted) == 40
            assert post(service, "/v1/decide", EVENT).status == 404

    def test_a_worker_that_dies_is_replaced(self, project):
        """The others answer, and the port is served by as many as before."""
        environment = {"VEREDITO__SERVICE__WORKERS": "2"}
        with running_service(project / "service.toml", "--role", "model", environment=environment) as service:
            ready = re.compile(r"ready: .*, worker (\d+)")
            service.wait_logged("uvicorn.error Started parent process")
            first = ready.search(service.log)
            os.kill(int(first.group(1)), signal.SIGKILL)
            died = service.wait_logged("died")

            assert "Child process" in died
            answers = [post(service, "/v1/predict", {"amount": 10.0}).status for _ in range(20)]
            assert set(answers) == {200}
