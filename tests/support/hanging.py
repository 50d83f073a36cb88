"""
All stages in one process, which hangs in native code over its first messages and is asked to stop by SIGTERM there.

    python -m tests.support.hanging TIMES ARGUMENTS…
"""

import ctypes
import os
import signal
import sys
import threading
import time

from adapters.markets.raw_decoder import MarketDecoder
from domain.bronze.raw_event import Decoded, RawEvents
from entrypoints.all_in_one import main


def ask(times: int) -> None:
    """Ask so often, each time once the one before was heard."""
    for _ in range(times):
        heard = signal.getsignal(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        while signal.getsignal(signal.SIGTERM) is heard:
            time.sleep(0.01)


def hang(_: MarketDecoder, __: RawEvents) -> Decoded:
    """Wait for a lock that is never let go; no signal wakes who waits so."""
    native, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    native.pthread_mutex_lock(lock)
    threading.Thread(target=ask, args=[int(sys.argv[1])], daemon=True).start()
    native.pthread_mutex_lock(lock)
    raise AssertionError("nobody lets it go")


if __name__ == "__main__":
    MarketDecoder.decode = hang  # type: ignore[assignment,method-assign]
    sys.exit(main(sys.argv[2:]))
