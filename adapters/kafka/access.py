"""How Kafka is reached: brokers, and who we are to them."""

from collections.abc import Mapping
from typing import Any

import attrs

from application.ports.errors import OPEN_ENVIRONMENTS, Insecure

UNENCRYPTED = frozenset({"PLAINTEXT", "SASL_PLAINTEXT"})


@attrs.frozen(kw_only=True)
class KafkaAccess:
    """
    Brokers and credentials.

    Raises:
        Insecure: The connection would be plain outside a local or test environment.
    """

    bootstrap: str
    """`host:port`, comma-separated."""
    env: str
    """Name of the environment, e.g. local."""
    protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    mechanism: str = "SCRAM-SHA-512"
    """SASL mechanism, where the protocol is one of SASL."""
    username: str = ""
    password: str = attrs.field(default="", repr=lambda value: "***" if value else "''")
    ca_path: str = ""
    """PEM file of the authorities that sign brokers; empty: the system's."""
    certificate_path: str = ""
    """PEM file of our own certificate, where brokers ask for one."""
    key_path: str = ""
    key_password: str = attrs.field(default="", repr=lambda value: "***" if value else "''")
    answer_within_s: float = 10.0
    """How long a broker may take to answer a question before it counts as away."""
    client: str = "dataproc"
    """Our name in the brokers' logs."""

    def __attrs_post_init__(self) -> None:
        if self.protocol in UNENCRYPTED and self.env not in OPEN_ENVIRONMENTS:
            raise Insecure(
                f"Kafka would be spoken to in {self.protocol} and the environment is {self.env!r}: anybody on the way could "
                "read and change prices. Set DATA_PROC_KAFKA_SECURITY_PROTOCOL=SASL_SSL, or DATA_PROC_ENV=local "
                "where nothing leaves this machine"
            )

    def config(self, **more: Any) -> dict[str, Any]:
        """What every librdkafka client of ours is given, and more."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": self.client,
            "security.protocol": self.protocol,
            "socket.timeout.ms": round(self.answer_within_s * 1000),
            "socket.keepalive.enable": True,
            "reconnect.backoff.max.ms": 2000,
            "allow.auto.create.topics": False,
            "log_level": 0,  # what matters comes by callbacks and errors; librdkafka's own lines would go to stderr raw
            **self._encryption(),
            **self._login(),
            **{name.replace("_", "."): value for name, value in more.items()},
        }

    def _encryption(self) -> Mapping[str, str]:
        if self.protocol in {"PLAINTEXT", "SASL_PLAINTEXT"}:
            return {}
        given = {
            "ssl.ca.location": self.ca_path,
            "ssl.certificate.location": self.certificate_path,
            "ssl.key.location": self.key_path,
            "ssl.key.password": self.key_password,
        }
        return {
            "ssl.endpoint.identification.algorithm": "https",
            **{name: text for name, text in given.items() if text},
        }

    def _login(self) -> Mapping[str, str]:
        if not self.protocol.startswith("SASL_"):
            return {}
        return {"sasl.mechanism": self.mechanism, "sasl.username": self.username, "sasl.password": self.password}
