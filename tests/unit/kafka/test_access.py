"""Kafka is reached with what the settings say, never in plain view outside a local environment, and without telling secrets."""

import pytest

from adapters.kafka.access import KafkaAccess
from application.ports.errors import Insecure


@pytest.mark.parametrize("env", ["local", "test"])
def test_a_local_environment_may_speak_plainly(env: str) -> None:
    config = KafkaAccess(bootstrap="127.0.0.1:9092", env=env).config()

    assert (config["bootstrap.servers"], config["security.protocol"]) == ("127.0.0.1:9092", "PLAINTEXT")
    assert not [name for name in config if name.startswith(("ssl.", "sasl."))]


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_any_other_environment_must_not(protocol: str) -> None:
    with pytest.raises(Insecure, match="SASL_SSL"):
        KafkaAccess(bootstrap="kafka:9092", env="production", protocol=protocol)


def test_encryption_and_login_are_passed_on() -> None:
    access = KafkaAccess(
        bootstrap="kafka:9093", env="production", protocol="SASL_SSL", username="refinery", password="s3cret",  # noqa: S106
        ca_path="/etc/ca.pem",
    )  # fmt: skip
    config = access.config()

    assert {name: value for name, value in config.items() if name.startswith(("ssl.", "sasl."))} == {
        "ssl.endpoint.identification.algorithm": "https",
        "ssl.ca.location": "/etc/ca.pem",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "refinery",
        "sasl.password": "s3cret",
    }
    assert "s3cret" not in repr(access)


def test_a_certificate_of_our_own_is_passed_on() -> None:
    config = KafkaAccess(
        bootstrap="kafka:9093", env="production", protocol="SSL", certificate_path="/c.pem", key_path="/k.pem"
    ).config()

    assert (config["ssl.certificate.location"], config["ssl.key.location"]) == ("/c.pem", "/k.pem")
    assert "sasl.username" not in config


def test_more_may_be_said() -> None:
    assert KafkaAccess(bootstrap="k", env="test").config(linger_ms=5)["linger.ms"] == 5
