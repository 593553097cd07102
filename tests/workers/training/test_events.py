"""Progress: not too much of it, and a way to stop."""

import pytest

from workers.training.events import Cancelled, Pace, Stage, TrainingEvent, Watch


def test_mere_progress_is_told_now_and_then_but_first_and_last_always():
    told = []
    pace = Pace(Watch(told.append, seconds_between=3600), Stage.IMAGES, 50)
    for _ in range(50):
        pace.advance()
    assert [event.step for event in told] == [1, 50]
    assert told[-1].seconds_left == 0


def test_messages_and_figures_are_never_held_back():
    told = []
    watch = Watch(told.append, seconds_between=3600)
    watch.tell(TrainingEvent(Stage.FINE_TUNING, step=3, steps=9))
    watch.tell(TrainingEvent(Stage.FINE_TUNING, step=4, steps=9))
    watch.tell(TrainingEvent(Stage.FINE_TUNING, step=5, steps=9, metrics={"study_kappa": 0.5}))
    watch.say(Stage.IMAGES, "something")
    assert [event.step for event in told] == [3, 5, 0]


def test_who_wants_to_stop_is_heard_at_the_next_step():
    pace = Pace(Watch(should_stop=lambda: True), Stage.FEATURES, 5)
    with pytest.raises(Cancelled, match="stopped at the features stage, 2 of 5; the same call goes on there"):
        pace.advance(2)
