"""A network that can be slow, cut, or lossy in one direction or both.

It works where the system's own tools for network faults may not be used. Every server has a relay
on 127.0.0.1; one thread runs all of them. What a client sends passes through its relay:

    delay     seconds that every piece takes, in each direction
    lost      the directions in which nothing arrives: "there", "back". TCP would retransmit for a
              while, so what was lost is kept and arrives late when the relay is mended, unless
              `mend` drops it
    cut       open connections are closed, and new ones are closed at once
    drip      answers arrive one byte at a time, a second apart
    flood     every request is answered by a bulk reply without end

(The textbook's man in the middle also relays connections, but it ends TLS and edits records; the
two share no more than an accept loop.)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Literal

Direction = Literal["there", "back"]
_PIECE = 1 << 16  # bytes read at once
_DRIP = 1.0  # seconds between two bytes
_ENDLESS = b"$9000000000000\r\n"  # the head of a Redis reply of 9 TB


class Relay:
    """One relay from a port of 127.0.0.1 to a server's Unix socket."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._mended = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self.delay = 0.0
        self.cut = False
        self.drip = False
        self.flood = False
        self.lost: set[Direction] = set()
        self.port = 0

    async def listen(self) -> None:
        """Start to accept connections; `port` is known afterwards."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def mend(self, *, drop: bool) -> None:
        """End every fault. drop: close connections that lost something, so it never arrives."""
        if (drop and self.lost) or self.drip or self.flood:
            # What dripped or flooded cannot become a right answer any more.
            self._abort_all()
        self.delay = 0.0
        self.cut = False
        self.drip = False
        self.flood = False
        self.lost.clear()
        # Wake the directions that wait, then make a fresh event for the next fault.
        self._mended.set()
        self._mended = asyncio.Event()

    async def sever(self) -> None:
        """Close open connections now, and later ones at once."""
        self.cut = True
        self._abort_all()

    async def close(self) -> None:
        """Stop accepting connections and end the open ones."""
        self._server.close()
        await self.mend(drop=True)
        await self.sever()

    def _abort_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if not self.cut:
                await self._connect(reader, writer)
        except OSError:
            # The server is dead, so the client's connection ends too.
            pass
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._upstream)
        self._open.add(server_writer)
        await asyncio.gather(
            self._pump(reader, server_writer, "there", flooded=writer),
            self._pump(server_reader, writer, "back"),
        )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: Direction,
        flooded: asyncio.StreamWriter | None = None,
    ) -> None:
        """Pass on what arrives in one direction until it ends.

        flooded: where a flood goes when something arrives here.
        """
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if self.delay:
                    await asyncio.sleep(self.delay)
                # A mended relay can lose its direction again before this task runs.
                while way in self.lost:
                    await self._mended.wait()
                if self.flood and flooded is not None:
                    await self._flood(flooded)
                elif self.drip and way == "back":
                    await self._drip(writer, piece)
                else:
                    writer.write(piece)
                    await writer.drain()
        if self.cut:
            writer.transport.abort()
        else:
            writer.close()
        self._open.discard(writer)

    async def _drip(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        for byte in piece:
            if not self.drip:
                return
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(_DRIP)

    async def _flood(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_ENDLESS)
        while self.flood:
            writer.write(bytes(_PIECE))
            # Waits while the client reads nothing, and raises once it has hung up.
            await writer.drain()


class FaultyNetwork:
    """One relay per server. A fault takes effect at once; `close` ends everything."""

    def __init__(self, upstreams: Sequence[str]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self.relays: list[Relay] = [self._run(_listening(upstream)) for upstream in upstreams]

    def slow(self, index: int, delay: float) -> None:
        """Delay every piece to and from this server by so many seconds."""
        self._loop.call_soon_threadsafe(setattr, self.relays[index], "delay", delay)

    def lose(self, index: int, ways: Sequence[Direction]) -> None:
        """Let nothing arrive in these directions; neither side is told."""
        self._loop.call_soon_threadsafe(self.relays[index].lost.update, ways)

    def drip(self, index: int) -> None:
        """Let this server's answers arrive one byte at a time."""
        self._loop.call_soon_threadsafe(setattr, self.relays[index], "drip", True)

    def flood(self, index: int) -> None:
        """Answer every request to this server by a reply that never ends."""
        self._loop.call_soon_threadsafe(setattr, self.relays[index], "flood", True)

    def cut(self, index: int) -> None:
        """Close all connections to this server, and later ones at once."""
        self._run(self.relays[index].sever())

    def mend(self, index: int, *, drop: bool = False) -> None:
        """End every fault of this relay; see `Relay.mend`."""
        self._run(self.relays[index].mend(drop=drop))

    def close(self) -> None:
        """End every relay and the thread."""
        for relay in self.relays:
            self._run(relay.close())
        self._run(_all_connections_ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _listening(upstream: str) -> Relay:
    relay = Relay(upstream)
    await relay.listen()
    return relay


async def _all_connections_ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
