"""Reading raw messages: from bytes to prices in our words, or a refusal."""

from typing import Protocol

from domain.bronze.raw_event import Decoded, RawEvents


class RawDecoder(Protocol):
    """
    Knows wire formats and markets' words.

    Total: every message ends among the prices, the refusals or the filtered; nothing it is fed makes it raise
    but what has to be asked elsewhere; time and memory are bounded by the size of the input. One bad message never harms its neighbours.
    A function of the messages alone: it keeps no memory between calls that could change a result.
    """

    def decode(self, events: RawEvents) -> Decoded:
        """
        Read each message as far as its market's words allow.

        Raises:
            Retryable: What a message was written with can't be asked now; nothing is decided about any of them.
        """
