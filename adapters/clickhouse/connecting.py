"""Which client a URL asks for."""

from adapters.clickhouse.client import ANSWER_WITHIN_S, Address, ClickHouse
from adapters.clickhouse.connect_client import ConnectClient
from adapters.clickhouse.native_client import NativeClient


def connect(url: str, answer_within_s: float = ANSWER_WITHIN_S) -> ClickHouse:
    """
    This will make the client for a URL. Nothing is connected yet.

    Args:
        url: See adapters.clickhouse.client.
        answer_within_s: A server that says nothing for so long counts as away.

    Raises:
        BadAddress: The URL can't be used.
    """
    address = Address.parse(url, answer_within_s)
    return NativeClient(address) if address.parts.scheme.startswith("clickhouse") else ConnectClient(address)
