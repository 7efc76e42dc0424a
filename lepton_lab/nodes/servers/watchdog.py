"""A program that ends the servers when the Python that started them has ended. It is never
imported.

Its standard input is a pipe that nothing is ever written to. The kernel closes the pipe's other end
when that Python ends, however it ends, SIGKILL included. Then this program removes the private
folder (its first argument) and kills every process of its own process group, itself included.
"""

import os
import shutil
import signal
import sys


def main() -> None:
    """Wait for the end of the pipe, remove the folder and kill the process group."""
    for signal_number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    # A server that still runs may write a file into a folder that is being emptied, so this is done
    # three times.
    for _ in range(3):
        shutil.rmtree(sys.argv[1], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
