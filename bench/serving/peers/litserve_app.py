"""LitServe, set up for speed as its docs advise.

* `fast_queue=True`: ZeroMQ instead of a manager's queue, "when serving hundreds of requests per second".
* `max_batch_size=64` with `batch_timeout=0`: what waits is scored together and nobody waits for more; the
  docs advise batching for throughput, and the timeout trades latency for it. Twice as fast as without at c=64.
* one worker, one API server, `log_level="warning"`, no client file. The API server is uvicorn with uvloop and
  httptools. The gzip middleware is there by default for answers over 1,000 bytes; ours are shorter.
"""

import os

import litserve

from bench.serving.steps import Scorer

BATCH = 64


class Card(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002 - the name that it calls with
        self.score = Scorer()

    def decode_request(self, request):
        return request

    def batch(self, inputs):
        return inputs

    def predict(self, rows):
        return self.score(rows)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    api = Card(max_batch_size=BATCH, batch_timeout=0.0, api_path="/v1/predict")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
