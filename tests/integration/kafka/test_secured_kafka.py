"""A broker behind TLS is reached as settings say, by who is let in, and believed only with a certificate we trust."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from adapters.kafka.topics import KafkaTopics
from adapters.wire.events import EventCodec
from application.ports.errors import Denied, Fatal, LogUnavailable
from application.ports.event_log import TopicPartition
from entrypoints.container.servers import kafka_access, kafka_log
from entrypoints.settings import Settings
from tests.e2e.programs import done
from tests.support.kafka import Cluster, member, until, unused
from tests.support.secured_kafka import KEY_PASSWORD, PASSWORD, USER, Authority, SecuredKafka, secured_kafka

pytestmark = [pytest.mark.services, pytest.mark.slow]

WRONG = "hunter2"


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredKafka]:
    with secured_kafka() as broker:
        yield broker


def login(secured: SecuredKafka, **other: str) -> dict[str, str]:
    """Settings of who comes with the right password, but for these."""
    return given(
        bootstrap=secured.secure, security_protocol="SASL_SSL", username=USER, password=PASSWORD,
        ca_path=str(secured.authority.certificate),
    ) | given(**other)  # fmt: skip


def certificate(secured: SecuredKafka, **other: str) -> dict[str, str]:
    """Settings of who comes with a certificate and a locked key, but for these."""
    return given(
        bootstrap=secured.mutual, security_protocol="ssl", ca_path=str(secured.authority.certificate),
        certificate_path=str(secured.client.certificate), key_path=str(secured.client.locked()),
        key_password=KEY_PASSWORD,
    ) | given(**other)  # fmt: skip


def given(**settings: str) -> dict[str, str]:
    return {f"DATA_PROC_KAFKA_{name.upper()}": value for name, value in settings.items()}


def cluster(settings: dict[str, str]) -> Cluster:
    found = Settings.from_environment({"DATA_PROC_ENV": "production", "DATA_PROC_KAFKA_TIMEOUT_S": "2", **settings})
    reached = Cluster(found.kafka_bootstrap)
    reached.access = kafka_access(found)
    return reached


def goes_through(reached: Cluster) -> None:
    topic = reached.topic("raw", partitions=1)
    log = reached.log(partitions=1)
    log.append(topic, [(0, None, b"1", 0), (0, None, b"2", 0)])
    with member(log, unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 2, reader.poll)
    log.close()

    assert reader.values() == [b"1", b"2"]
    assert log.end_offsets([topic]) == {TopicPartition(topic, 0): 2}


def test_who_has_the_password_appends_and_reads(secured: SecuredKafka) -> None:
    goes_through(cluster(login(secured)))


def test_who_has_a_certificate_appends_and_reads(secured: SecuredKafka) -> None:
    goes_through(cluster(certificate(secured)))


def test_a_wrong_password_is_told_by_every_call_without_it(secured: SecuredKafka) -> None:
    reached = cluster(login(secured, password=WRONG))
    log, topic = reached.log(partitions=1), "raw"
    where = TopicPartition(topic, 0)

    with pytest.raises(Denied, match="check the credentials") as refused:
        KafkaTopics(reached.access).partitions()
    assert WRONG not in str(refused.value)
    with pytest.raises(Denied):
        log.append(topic, [(0, None, b"1", 0)])
    with pytest.raises(Denied):
        log.end_offsets([topic])
    with pytest.raises(Denied):
        log.progress("group", [topic])
    with pytest.raises(Denied):
        log.next_records({where: None})
    with member(log, unused("group"), topic) as reader, pytest.raises(Denied):
        until(lambda: False, reader.poll)


def test_a_program_with_a_wrong_password_ends_with_a_status_of_its_own(secured: SecuredKafka, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {"DATA_PROC_KAFKA_TIMEOUT_S": "2", **login(secured, password=WRONG)}

    assert done("entrypoints.cli", "lag", log=log, settings=settings) == 78
    assert "check the credentials" in log.read_text()


def test_a_broker_that_nobody_we_trust_signed_is_not_believed(secured: SecuredKafka) -> None:
    stranger = Authority(secured.authority.folder, "stranger")
    reached = cluster(login(secured, ca_path=str(stranger.certificate)))
    log, topic = reached.log(partitions=1), "raw"
    not_believed = r"certificate verify failed.*DATA_PROC_KAFKA_CA_PATH"

    with pytest.raises(LogUnavailable, match=not_believed):
        KafkaTopics(reached.access).partitions()
    with pytest.raises(LogUnavailable, match=not_believed):
        log.append(topic, [(0, None, b"1", 0)])
    with member(log, unused("group"), topic) as reader, pytest.raises(LogUnavailable, match=not_believed):
        until(lambda: False, reader.poll)


def test_a_broker_by_another_name_is_not_believed(secured: SecuredKafka) -> None:
    elsewhere = secured.secure.replace("127.0.0.1", "localhost")

    with pytest.raises(LogUnavailable, match="certificate"):
        KafkaTopics(cluster(login(secured, bootstrap=elsewhere)).access).partitions()


def test_a_key_that_can_not_be_unlocked_is_told(secured: SecuredKafka) -> None:
    with pytest.raises(Fatal, match=r"DATA_PROC_KAFKA_\*.*ssl.key"):
        KafkaTopics(cluster(certificate(secured, key_password=WRONG)).access).partitions()


def test_what_settings_say_of_members_counts(secured: SecuredKafka) -> None:
    asked = given(group_protocol="classic", session_timeout_s="7", poll_within_s="60", budget_bytes="2097152")
    settings = Settings.from_environment(login(secured) | asked)
    membership = kafka_log(kafka_access(settings), EventCodec({}), settings).membership

    assert attrs.asdict(membership, filter=lambda field, _: field.name in MEMBERSHIP) == MEMBERSHIP


MEMBERSHIP = {"protocol": "classic", "session_timeout_s": 7, "poll_within_s": 60, "budget_bytes": 2_097_152}
