"""What becomes of alerts, silences and notices; and the way back in steps."""

import pytest

from core.domain.errors import Refused
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.alert import Alert, AlertState, FailingReceiver, Notice, Topic
from core.state.fold import fold_all
from core.state.snapshot import Snapshot

NOTICE = Notice("errors-60", 60.0, Topic.PAGE, "late", "dev", "errors", "8 % failed")
FIRED = Alert("errors", AlertState.FIRED, 0.0, 60.0, 900.0, "8 %", "rolls back at once")


def after(*bodies: ev.Body) -> Snapshot:
    return fold_all(ev.Event(seq, float(seq), "ada", body) for seq, body in enumerate(bodies, 1))


def test_what_is_promised_stays_until_it_is_told() -> None:
    promised = ev.Promised("late", NOTICE, ("ops", "mail"), of_seq=7)
    once = after(promised, promised).endpoint("late")
    assert [one.receiver for one in once.untold] == ["ops", "mail"]
    assert once.told_seq == 7
    failed = ev.TellingFailed("late", NOTICE.id, "ops", "no answer", 9.0)
    tried = after(promised, failed, failed).endpoint("late").untold[0]
    assert (tried.tries, tried.why) == (2, "no answer")
    dead = ev.TellingFailed("late", NOTICE.id, "ops", "no answer", 9.0, dead=True)
    assert after(promised, ev.Told("late", NOTICE.id, "mail", 0.2), dead).endpoint("late").untold == ()
    lapsed = ev.Overtaken("late", NOTICE.id, "ops", "the alert is over")
    assert [one.receiver for one in after(promised, lapsed).endpoint("late").untold] == ["mail"]


def test_a_receiver_fails_from_its_first_failed_try_until_it_takes_something() -> None:
    promised = ev.Promised("late", NOTICE, ("ops", "mail"))
    first = ev.TellingFailed("late", NOTICE.id, "ops", "no answer", 5.0)
    beside = ev.TellingFailed("late", "errors-61", "ops", "answered 500", 5.0)
    later = ev.TellingFailed("late", NOTICE.id, "ops", "answered 500", 65.0, dead=True)
    assert after(promised, first, beside).endpoint("late").failing == {
        "ops": FailingReceiver(2.0, "answered 500", 5.0, waits=1)
    }
    known = after(promised, first, beside, later).endpoint("late")
    assert known.failing == {"ops": FailingReceiver(2.0, "answered 500", 65.0, waits=2)}
    assert [one.receiver for one in known.untold] == ["mail"]
    well = ev.Told("late", "errors-62", "ops", 0.1)
    assert after(promised, first, ev.Told("late", NOTICE.id, "mail", 0.1)).endpoint("late").failing.keys() == {"ops"}
    assert after(promised, first, later, well).endpoint("late").failing == {}


def test_a_silence_has_an_end_and_a_reason() -> None:
    silence = c.SilenceAlert("late", "errors", 3600.0, "we know")
    (fact,) = accept(silence, Snapshot(), 10.0)
    assert fact == ev.Silenced("late", "errors", 3610.0, "we know")
    hush = after(fact).endpoint("late").hushed["errors"]
    assert (hush.until, hush.by, hush.reason) == (3610.0, "ada", "we know")
    assert after(fact, ev.Silenced("late", "errors", None)).endpoint("late").hushed == {}
    with pytest.raises(Refused, match="errors is not silenced"):
        accept(c.SilenceAlert("late", "errors", 0.0), Snapshot(), 10.0)


def test_the_log_says_what_an_alert_did() -> None:
    log = after(
        ev.Alerted("late", FIRED),
        ev.Silenced("late", "errors", None),
        ev.Told("late", NOTICE.id, "ops", 0.25),
        ev.Overtaken("late", NOTICE.id, "ops", "the alert is over"),
    ).log
    assert [line.text for line in log] == [
        "errors fired: 8 %; rolls back at once",
        "ada lets errors speak again",
        "ops: errors-60, 0.2 s after it came true",
        "ops is not told errors-60 so late: the alert is over",
    ]
    assert log[0].level == "error"
