"""Ray Serve, set up for speed as its docs advise.

* `RAY_SERVE_THROUGHPUT_OPTIMIZED=1`, set by the runner: user code and router on the replica's own loop,
  buffered logs, as the performance guide recommends where the handler does not block for long.
* access log off (`logging_config`), one replica, `max_ongoing_requests` above the highest concurrency.
* `@serve.batch` with a wait of 0: what waits is scored together and nobody waits for more.
* The dashboard is not started; the proxy is Ray's own (HAProxy is a program to be installed beside it).
"""

import os
import signal
import threading

import orjson
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from bench.serving.steps import Scorer


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Card:
    def __init__(self):
        self.score = Scorer()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.0)
    async def batched(self, rows):
        return self.score(rows)

    async def __call__(self, request: Request):
        answer = await self.batched(orjson.loads(await request.body()))
        return Response(orjson.dumps(answer), media_type="application/json")


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, num_cpus=2)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(
        Card.bind(),
        route_prefix="/v1/predict",
        logging_config={"enable_access_log": False, "log_level": "WARNING"},
    )
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    stopped.wait()
    serve.shutdown()
    ray.shutdown()
