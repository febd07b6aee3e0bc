"""A drill goes back and comes forward again, and says nothing about the release that it was gone back from."""

from core.domain.strategies import all_at_once
from core.state import commands as c, events as ev
from core.state.delivery import ReleaseRow, figures, releases
from core.state.release import ReleaseState
from tests.environments import rollout
from tests.rollout.test_decide import of
from tests.world import World


def done() -> World:
    world = of(all_at_once((), rollout()))
    world.run()
    return world


def there(world: World) -> None:
    world.do(c.Rollback("late", world.now, "drill", drill=True))
    world.run()


def back_again(world: World) -> None:
    world.now += 7
    world.do(c.Undo("late", world.now, "drill"))
    world.run()


def row(world: World) -> ReleaseRow:
    return releases(world.events)[-1]


def test_a_release_has_ended_as_it_had_before_the_drill() -> None:
    world = done()
    before, told = world.release, row(world)
    world.now += 500
    there(world)
    assert (world.release.outcome, row(world).outcome) == (ev.Outcome.ROLLED_BACK, ev.Outcome.ROLLED_BACK.value)
    back_again(world)
    after = world.release
    assert after.state is ReleaseState.ENDED
    assert (after.outcome, after.why, after.ended_at, after.reason) == (
        before.outcome,
        before.why,
        before.ended_at,
        before.reason,
    )
    assert row(world) == told
    assert world.weights == {"green": 100.0}


def test_drills_are_no_ways_back_that_anybody_needed() -> None:
    world = done()
    for _ in range(2):
        there(world)
        back_again(world)
    told = figures(releases(world.events), 0.0, world.now)
    assert (told.failed_percent, told.restore_s, told.rollback_ms) == (0.0, None, None)


def test_what_a_drill_did_not_bring_forward_again_is_rolled_back() -> None:
    world = done()
    there(world)
    assert (row(world).outcome, row(world).reason) == (ev.Outcome.ROLLED_BACK.value, "drill")


def test_a_rollback_after_a_drill_counts() -> None:
    world = done()
    there(world)
    back_again(world)
    world.do(c.Rollback("late", world.now, "bad"))
    world.run()
    assert (row(world).outcome, row(world).reason, len(row(world).backs)) == ("rolled back", "bad", 1)
    world.do(c.Undo("late", world.now, "was well"))
    world.run()
    assert (world.release.outcome, row(world).outcome) == (ev.Outcome.DONE, ev.Outcome.DONE.value)
