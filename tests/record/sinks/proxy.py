"""A TCP proxy that can slow, refuse, stall and cut: what networks do to a client."""

import asyncio
import contextlib
import random
import socket
import threading


class Proxy:
    """Listens on `port` and passes on to `target`, as its fields say at the moment.

    `delay_seconds` holds each chunk back; `stall()` passes nothing on, with all connections open; `refuse()`
    closes the port and all connections; `heal()` ends all of it.
    """

    def __init__(self):
        self.port = self.free_port()
        self.target = None
        self.delay_seconds = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = None
        self._tasks = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.heal()

    @staticmethod
    def free_port():
        while True:
            port = random.randrange(30_000, 32_000)  # below those that clients are given
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return port

    def stall(self):
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def refuse(self):
        self._do(self._shut())

    def heal(self):
        self.delay_seconds = 0.0
        self._loop.call_soon_threadsafe(self._flowing.set)
        self._do(self._listen())

    def close(self):
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self):
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", self.port, reuse_address=True
            )

    async def _shut(self):
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            there, back = await asyncio.open_connection(*self.target)
            with contextlib.closing(back):
                ways = [self._pass_on(reader, back), self._pass_on(there, writer)]
                tasks = [asyncio.ensure_future(way) for way in ways]
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in tasks:
                        way.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, reader, writer):
        while chunk := await reader.read(65_536):
            await self._flowing.wait()
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            writer.write(chunk)
            await writer.drain()
