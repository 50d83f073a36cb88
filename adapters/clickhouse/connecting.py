"""Which client a URL asks for."""

from adapters.clickhouse.client import Address, ClickHouse
from adapters.clickhouse.connect_client import ConnectClient
from adapters.clickhouse.native_client import NativeClient


def connect(url: str) -> ClickHouse:
    """
    This will make the client for a URL. Nothing is connected yet.

    Raises:
        BadAddress: The URL can't be used.
    """
    address = Address.parse(url)
    return NativeClient(address) if address.parts.scheme.startswith("clickhouse") else ConnectClient(address)
