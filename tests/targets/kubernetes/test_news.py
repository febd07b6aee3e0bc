"""What a watch says of a cluster at rest: that it is heard of or silent, and looks that are of now."""

import time

from core.domain.model import Contact, OtherDriver, Scaled
from core.targets.kubernetes.news import ClusterNews
from core.targets.kubernetes.watching import ClusterView


def _contacts(news: ClusterNews, view: ClusterView) -> list[Contact]:
    return [one for one in news.of(view, {}, {}, OtherDriver()) if isinstance(one, Contact)]


def test_a_cluster_that_falls_silent_is_said_to_be_silent_since_its_last_word_and_to_be_back_at_once() -> None:
    news = ClusterNews()
    (first,) = _contacts(news, ClusterView(silent_s=1.0))
    assert (first.lost, abs(time.time() - 1 - first.at) < 1) == ("", True)
    assert _contacts(news, ClusterView(silent_s=2.0)) == []
    (lost,) = _contacts(news, ClusterView(stale_s=11.0, silent_s=11.0, trouble="no answer from 10.0.0.1"))
    assert (lost.lost, abs(time.time() - 11 - lost.at) < 1) == ("no answer from 10.0.0.1", True)
    assert _contacts(news, ClusterView(stale_s=60.0, silent_s=60.0, trouble="no answer from 10.0.0.1")) == []
    (back,) = _contacts(news, ClusterView())
    assert back.lost == ""


def test_a_look_that_says_nothing_new_is_told_again_once_the_next_is_due_and_never_of_a_silent_cluster() -> None:
    news = ClusterNews()

    def told(at: float, stale_s: float = 0.0) -> list[float]:
        look = Scaled("blue", at, 2, 2, "cpu 0 % of 60 %", min=2, max=4)
        reports = news.of(ClusterView(stale_s=stale_s, silent_s=stale_s), {}, {"blue": look}, OtherDriver())
        return [one.at for one in reports if isinstance(one, Scaled)]

    assert told(1000.0) == [1000.0]
    assert told(1010.0) == []
    assert told(1015.0) == [1015.0]
    assert told(1040.0, stale_s=12.0) == []
    assert told(1041.0) == [1041.0]
