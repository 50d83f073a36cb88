"""What a member of a group asks of its client."""

from adapters.kafka.consumer import Membership


def test_a_member_checks_what_it_reads_and_commits_by_hand() -> None:
    config = Membership().config("normalization")
    asked = {name: config[name] for name in ("check.crcs", "enable.auto.commit", "auto.offset.reset")}
    assert asked == {"check.crcs": True, "enable.auto.commit": False, "auto.offset.reset": "error"}
