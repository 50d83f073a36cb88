"""Topics of a cluster: what there is, what is missing, and creating it."""

from collections.abc import Sequence
from time import monotonic, sleep

import attrs
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from adapters.kafka.access import KafkaAccess
from adapters.kafka.refusals import KAFKA, refusal
from application.ports.errors import LogUnavailable
from application.ports.topics import TopicPlan


@attrs.define
class KafkaTopics:
    """Topics of a Kafka cluster."""

    access: KafkaAccess
    replication: int = 1
    """Copies of each partition that is created."""
    _admin: AdminClient | None = attrs.field(init=False, default=None)

    def partitions(self) -> dict[str, int]:
        """Every topic there is, with its partitions."""
        try:
            known = self._administrator().list_topics(timeout=self.access.answer_within_s)
        except KafkaException as error:
            raise refusal(error.args[0], f"listing topics at {self.access.bootstrap}") from error
        return {name: len(topic.partitions) for name, topic in known.topics.items() if topic.error is None}

    def create(self, plans: Sequence[TopicPlan]) -> list[str]:
        """Create these topics, as planned; one that appears meanwhile is left as it is."""
        wanted = [
            NewTopic(
                plan.name, num_partitions=plan.partitions, replication_factor=self.replication, config=_config(plan)
            )
            for plan in plans
        ]
        if not wanted:
            return []
        answers = self._administrator().create_topics(wanted, request_timeout=3 * self.access.answer_within_s)
        made = []
        for name, answer in answers.items():
            try:
                answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise refusal(error.args[0], f"creating {name}") from error
            else:
                made.append(name)
        self._wait_until_seen(made)
        return made

    def _wait_until_seen(self, names: Sequence[str]) -> None:
        """A topic that was created is known to every broker only a moment later."""
        until = monotonic() + self.access.answer_within_s
        while not set(names) <= self.partitions().keys():
            if monotonic() > until:
                raise LogUnavailable(f"the brokers do not know the topics they created: {', '.join(names)}", KAFKA)
            sleep(0.05)

    def _administrator(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(self.access.config())
        return self._admin


def _config(plan: TopicPlan) -> dict[str, str]:
    return {
        "retention.ms": str(-1 if plan.kept_s is None else plan.kept_s * 1000),
        "message.timestamp.type": "LogAppendTime" if plan.stamped_by_broker else "CreateTime",
        "max.message.bytes": str(plan.largest_bytes),
    }
