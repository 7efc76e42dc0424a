"""A line between a client and a server that can be slow, cut, or lost in one direction or both.

It works where the system's own tools for that may not be used. Every server has a relay of its own on 127.0.0.1, all of
them in one thread; what the client sends passes through, as the line's state says:

    delay     seconds that every piece takes, in each direction
    lost      the directions in which nothing arrives: "there", "back". TCP would send again for a while, so what was
              lost is kept, and arrives late when the line is mended, unless `mend` drops it
    cut       connections are closed, new ones too
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Literal

Direction = Literal["there", "back"]
_PIECE = 1 << 16


class Line:
    """One relay: from a port of 127.0.0.1 to a server's socket."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.delay, self.cut = 0.0, False
        self.lost: set[Direction] = set()
        self._mended = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def listen(self) -> None:
        """Begin; `port` is then known."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def mend(self, *, drop: bool) -> None:
        """All is well again. drop: connections on which something was lost are closed, and it never arrives."""
        if drop and self.lost:
            self._close_all()
        self.delay, self.cut = 0.0, False
        self.lost.clear()
        self._mended.set()
        self._mended = asyncio.Event()

    async def sever(self) -> None:
        """Close what is open, and from now on whatever comes."""
        self.cut = True
        self._close_all()

    async def close(self) -> None:
        """End, and let whatever waits here go."""
        self._server.close()
        await self.mend(drop=True)
        self.cut = True
        self._close_all()

    def _close_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if not self.cut:
                server_reader, server_writer = await asyncio.open_unix_connection(self._upstream)
                self._open.add(server_writer)
                await asyncio.gather(
                    self._pump(reader, server_writer, "there"),
                    self._pump(server_reader, writer, "back"),
                )
        except OSError:  # the server is dead: so is the line
            pass
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if self.delay:
                    await asyncio.sleep(self.delay)
                while way in self.lost:
                    await self._mended.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort() if self.cut else writer.close()
        self._open.discard(writer)


class Network:
    """A line for each server. A fault is set at once; `close` ends everything."""

    def __init__(self, upstreams: Sequence[str]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self.lines = [self._do(_listening(upstream)) for upstream in upstreams]

    def slow(self, index: int, delay: float) -> None:
        """From now on every piece takes so many seconds."""
        self._loop.call_soon_threadsafe(setattr, self.lines[index], "delay", delay)

    def lose(self, index: int, ways: Sequence[Direction]) -> None:
        """From now on nothing arrives in these directions; nobody is told."""
        self._loop.call_soon_threadsafe(self.lines[index].lost.update, ways)

    def cut(self, index: int) -> None:
        """Close all connections, and refuse new ones."""
        self._do(self.lines[index].sever())

    def mend(self, index: int, *, drop: bool = False) -> None:
        """Everything passes again; see `Line.mend`."""
        self._do(self.lines[index].mend(drop=drop))

    def close(self) -> None:
        """End every line, and the thread."""
        for line in self.lines:
            self._do(line.close())
        self._do(_finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _listening(upstream: str) -> Line:
    line = Line(upstream)
    await line.listen()
    return line


async def _finish() -> None:
    """Wait until every connection has ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
