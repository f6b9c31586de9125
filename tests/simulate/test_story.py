"""A story names what happened, in words."""

from __future__ import annotations

from tests.simulate.scenario import scenario_of
from tests.simulate.simulation import play
from tests.simulate.story import story_of


def test_story() -> None:
    """Declarations, runs, faults and what they did to caches and files stand in order."""
    world = play(scenario_of(3))

    story = "\n".join(story_of(world.scenario, world.log.events))

    for words in ("declares for", "begins: apply", "creates cachedContents/", "all faults end"):
        assert words in story
    assert story.count("FAULT ") == sum(
        event.__class__.__name__ == "FaultHappened" for event in world.log.events
    )
