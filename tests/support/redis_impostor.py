"""A server that speaks enough of Redis to be connected to, and answers what a test tells it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

# Bytes, None to hang, b"" to hang up, or pieces that are sent one after the other with pauses.
Answer = bytes | None | Callable[[], Iterator[bytes | float]]


def drip(start: bytes, byte: bytes = b"x", seconds: float = 0.1) -> Answer:
    """An answer that goes on for ever, one byte at a time."""

    def pieces() -> Iterator[bytes | float]:
        yield start
        while True:
            yield seconds
            yield byte

    return pieces


def flood(start: bytes, block: bytes = b"x" * (1 << 20)) -> Answer:
    """An answer that goes on for ever, as quickly as it is taken."""

    def pieces() -> Iterator[bytes | float]:
        yield start
        while True:
            yield block

    return pieces


class Impostor:
    """A server that answers HELLO, and each command with the next of its answers.

    answers: used up one per command. always: gives the answer to a command's words when `answers`
    is empty. slow: seconds between the bytes of an answer. sent: how many bytes it has sent.
    """

    hello: Answer = b"%1\r\n$5\r\nproto\r\n:3\r\n"

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.sent = 0
        self.slow = 0.0
        self.answers: list[Answer] = []
        self.always: Callable[[list[bytes]], Answer] | None = None
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as commands:
            while line := self._line(commands):
                words = []
                for _ in range(int(line[1:])):
                    length = int(self._line(commands)[1:])
                    words.append(commands.read(length + 2)[:-2])
                answer = self._answer_to(words)
                if answer is None:
                    continue
                if answer == b"":
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if not self._say(connection, answer):
                    return

    def _answer_to(self, words: list[bytes]) -> Answer:
        if words[0] == b"HELLO":
            return self.hello
        if self.answers:
            return self.answers.pop(0)
        return b"" if self.always is None else self.always(words)

    def _say(self, connection: socket.socket, answer: Answer) -> bool:
        """Send an answer; False when the other side did not wait for its end."""
        assert answer is not None
        try:
            if not isinstance(answer, bytes):
                self._say_pieces(connection, answer())
            elif not self.slow:
                self._send(connection, answer)
            else:
                for at in range(len(answer)):
                    self._send(connection, answer[at : at + 1])
                    time.sleep(self.slow)
        except OSError:
            return False
        return True

    def _say_pieces(self, connection: socket.socket, pieces: Iterator[bytes | float]) -> None:
        for piece in pieces:
            if isinstance(piece, float):
                time.sleep(piece)
            else:
                self._send(connection, piece)

    def _send(self, connection: socket.socket, piece: bytes) -> None:
        connection.sendall(piece)
        self.sent += len(piece)

    @staticmethod
    def _line(commands) -> bytes:
        try:
            return commands.readline()
        except OSError:
            return b""

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
