"""Questions to brokers that no group and no record is part of."""

from collections.abc import Callable
from typing import TypeVar

import attrs
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from adapters.kafka.access import KafkaAccess
from adapters.kafka.refusals import KAFKA, Complaints, client_of, refusal
from application.ports.errors import LogUnavailable, PortError

GRACE_S = 1.0
"""The client gives up a question by itself; this long after that, it is given up here."""

T = TypeVar("T")


@attrs.define
class Administrator:
    """A client that asks."""

    access: KafkaAccess
    _complaints: Complaints = attrs.field(init=False, factory=Complaints)
    _client: AdminClient | None = attrs.field(init=False, default=None)

    def asking(self, doing: str, question: Callable[[AdminClient], T]) -> T:
        """
        Ask, and wait for the answer.

        Args:
            doing: Names it in errors.
            question: Calls the client; where that returns futures, it takes their results within `patience_s`.

        Raises:
            Retryable: No broker answered in time.
            Fatal: The brokers refuse it.
        """
        client = self._connected()
        try:
            return question(client)
        except KafkaException as error:
            raise self._explained(client, refusal(error.args[0], doing), doing) from error
        except TimeoutError as error:
            late = LogUnavailable(f"{doing}: the brokers did not answer in time", KAFKA)
            raise self._explained(client, late, doing) from error

    @property
    def patience_s(self) -> float:
        """For the result of a future."""
        return self.access.answer_within_s + GRACE_S

    def _explained(self, client: AdminClient, said: PortError, doing: str) -> PortError:
        client.poll(0)  # lets what it told of brokers through
        return self._complaints.explained(said, doing)

    def _connected(self) -> AdminClient:
        if self._client is None:
            self._client = client_of(AdminClient, {**self.access.config(), "error_cb": self._complaints.heard})
        return self._client
