"""MLServer, set up for speed as its docs advise.

* `parallel_workers=0`: the model runs in the server's process; the docs recommend a pool for several models
  or cores, and one worker is compared here.
* The subject `mlserver` is asked by the inference protocol, MLServer's own way in: a tensor of numbers and a
  tensor of texts, lists as they are, without codecs. Adaptive batching is off, as it is by default: with it,
  c=64 was no faster and c=1 half as fast.
* The subject `mlserver_endpoint` is asked by a `custom_handler` with flat JSON. That is a bare route in the same
  process: what the protocol checks, counts and batches is not in it. It is shown beside, because it is faster.
* gzip off (on by default), debug off, no access log, its default uvloop.
"""

import asyncio
import json
import os

import orjson
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from starlette.requests import Request
from starlette.responses import Response

from bench.serving.rows import NAMES, NUMBERS, TEXTS
from bench.serving.steps import OUTPUTS, Scorer


class Card(MLModel):
    async def load(self):
        self.score = Scorer()
        return True

    @custom_handler(rest_path="/v1/predict")
    async def answer(self, request: Request) -> Response:
        row = orjson.loads(await request.body())
        return Response(orjson.dumps(self.score([row])[0]), media_type="application/json")

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The protocol's own endpoint: one tensor of numbers, one of texts."""
        numbers, texts = (tensor.data.root for tensor in payload.inputs)
        rows = [
            dict(zip(NAMES, (*some, *others), strict=True))
            for some, others in zip(batched(numbers, len(NUMBERS)), batched(texts, len(TEXTS)), strict=True)
        ]
        answers = self.score(rows)
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                ResponseOutput(
                    name=name,
                    shape=[len(rows), 1],
                    datatype="FP64",
                    data=[answer[name] for answer in answers],
                )
                for name in OUTPUTS
            ],
        )


def batched(values, width):
    return (values[place : place + width] for place in range(0, len(values), width))


def main():
    ports = json.loads(os.environ["MORE_PORTS"])
    settings = Settings(
        host="127.0.0.1",
        http_port=int(os.environ["PORT"]),
        grpc_port=ports[0],
        metrics_port=ports[1],
        parallel_workers=0,
        gzip_enabled=False,
        debug=False,
        logging_settings={"version": 1, "disable_existing_loggers": True},
    )
    asyncio.run(MLServer(settings).start([ModelSettings(name="card", implementation=Card)]))


if __name__ == "__main__":
    main()
