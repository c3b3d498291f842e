"""Ours and the hand-written code, whole and stage by stage."""

from time import perf_counter_ns

import msgspec
from lightgbm.basic import _LIB

from bench.serving.peers.limit import Answer, Limit
from veredito import model as vm


class Veredito:
    """The saved model, as anyone uses it: decode by the in-schema, the row plan, encode."""

    def __init__(self, folder):
        model = vm.load(folder)
        self.decode, self.rows = model.in_schema.decode, model.rows
        self.encode = msgspec.json.Encoder().encode

    def answer(self, body):
        return self.encode(self.rows([self.decode(body)])[0])

    def stages(self, body):
        """Nanoseconds of each stage."""
        plan = self.rows
        t0 = perf_counter_ns()
        row = self.decode(body)
        t1 = perf_counter_ns()
        block = plan.fill([row])
        t2 = perf_counter_ns()
        plan.score(block)
        t3 = perf_counter_ns()
        answers = plan.outputs(block)
        t4 = perf_counter_ns()
        self.encode(answers[0])
        t5 = perf_counter_ns()
        return {
            "in_schema": t1 - t0, "in_adapter": t2 - t1, "model": t3 - t2, "out_adapter": t4 - t3, "out_schema": t5 - t4,
        }  # fmt: skip


class ByHand(Limit):
    """What the serving benchmark calls the limit, without its server: see bench/serving/peers/limit.py."""

    def stages(self, body):
        """Nanoseconds of decoding, of filling the row, of the steps and the model, and of encoding."""
        steps, numbers = self.steps, self.numbers
        t0 = perf_counter_ns()
        row = self.decode(body)
        t1 = perf_counter_ns()
        numbers[:] = self.numbers_of(row)
        t2 = perf_counter_ns()
        steps.change(numbers)
        self._texts(row, self.row)
        _LIB.LGBM_BoosterPredictForMatSingleRowFast(*self.call)
        score = self.out.value
        calibrated, rank = (float(value) for value in steps.after(score))
        t3 = perf_counter_ns()
        self.encode(Answer(score, calibrated, rank))
        t4 = perf_counter_ns()
        return {"decode": t1 - t0, "fill": t2 - t1, "model": t3 - t2, "encode": t4 - t3}
