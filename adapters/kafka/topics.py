"""Topics of a cluster: what there is, what is missing, and creating it."""

from collections.abc import Iterator, Sequence
from time import monotonic, sleep

import attrs
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from adapters.kafka.access import KafkaAccess
from adapters.kafka.administrator import Administrator
from adapters.kafka.refusals import KAFKA
from application.ports.errors import LogUnavailable
from application.ports.topics import TopicPlan


@attrs.define
class KafkaTopics:
    """Topics of a Kafka cluster."""

    access: KafkaAccess
    replication: int = 1
    """Copies of each partition that is created."""
    _admin: Administrator = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._admin = Administrator(self.access)

    def partitions(self) -> dict[str, int]:
        """Every topic there is, with its partitions."""
        within_s = self.access.answer_within_s
        doing = f"listing topics at {self.access.bootstrap}"
        known = self._admin.asking(doing, lambda admin: admin.list_topics(timeout=within_s))
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
        names = ", ".join(plan.name for plan in plans)
        made = self._admin.asking(f"creating {names}", lambda admin: list(self._made(admin, wanted)))
        self._wait_until_seen(made)
        return made

    def _wait_until_seen(self, names: Sequence[str]) -> None:
        """A topic that was created is known to every broker only a moment later."""
        until = monotonic() + self.access.answer_within_s
        while not set(names) <= self.partitions().keys():
            if monotonic() > until:
                raise LogUnavailable(f"the brokers do not know the topics they created: {', '.join(names)}", KAFKA)
            sleep(0.05)

    def _made(self, admin: AdminClient, wanted: Sequence[NewTopic]) -> Iterator[str]:
        """Those that were not there."""
        answers = admin.create_topics(list(wanted), request_timeout=3 * self.access.answer_within_s)
        for name, answer in answers.items():
            try:
                answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
            else:
                yield name


def _config(plan: TopicPlan) -> dict[str, str]:
    return {
        "retention.ms": str(-1 if plan.kept_s is None else plan.kept_s * 1000),
        "message.timestamp.type": "LogAppendTime" if plan.stamped_by_broker else "CreateTime",
        "max.message.bytes": str(plan.largest_bytes),
    }
