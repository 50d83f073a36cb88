"""`dataproc topics`: the topics of the refinery, as contracts say."""

from collections.abc import Callable

from cyclopts import App

from application.commands.topics import CreateTopics, all_topics, plan_of
from application.ports.topics import TopicPlan

DONE = 0


def topics_app(create: Callable[[], CreateTopics]) -> App:
    """
    The commands about topics.

    Args:
        create: Makes the command once it is known that it runs, e.g. the container's provider.
    """
    app = App(name="topics", help="The topics of the refinery.", result_action="return_value")

    @app.command(name="create")
    def create_topics(*, dry_run: bool = False) -> int:
        """
        Create the topics that are missing; those that are there stay as they are.

        Args:
            dry_run: Only list what would be created.

        Returns:
            0 done, 1 a topic has another partition count than agreed.
        """
        command = create()
        made = command(dry_run=dry_run)
        doing = "would create" if dry_run else "created"
        for topic in made:
            print(f"{doing} {_told(plan_of(topic))}")
        print(f"{len(all_topics(command.intervals)) - len(made)} topics were there already")
        return DONE

    return app


def _told(plan: TopicPlan) -> str:
    kept = "for good" if plan.kept_s is None else f"{plan.kept_s // 86_400} days"
    return f"{plan.name}: {plan.partitions} partitions, kept {kept}"
