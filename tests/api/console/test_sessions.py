"""Sessions: a token in a cookie that only this ledger reads, for half an hour of rest and twelve hours in all."""

import os
from dataclasses import replace

import pytest

from api.console.sessions import IDLE_US, MAX_ENDED, RENEWED_AFTER_US, WHOLE_US, Session, Sessions
from ledger.errors import UnauthenticatedError

SECRET = b"s" * 32
NOW = 1_795_435_200_000_000
# Of a token that outlasts every session.
LATER = 2 * NOW


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(SECRET, os.urandom)


def test_a_cookie_is_read_by_every_process_of_the_ledger_and_tells_the_token_to_nobody(sessions: Sessions) -> None:
    session = sessions.begin("token", "a-token-of-the-ledger", NOW, LATER)
    cookie = sessions.cookie(session)
    assert Sessions(SECRET, os.urandom).read(cookie, NOW) == session
    assert "a-token" not in cookie
    assert len(cookie) < 400
    with pytest.raises(UnauthenticatedError, match="did not begin the session"):
        Sessions(b"another ledger".ljust(32), os.urandom).read(cookie, NOW)


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "ä", "A" * 100, "A" * 10_000, "====", "{}"])
def test_a_forged_cookie_is_no_session(sessions: Sessions, cookie: str) -> None:
    with pytest.raises(UnauthenticatedError):
        sessions.read(cookie, NOW)


def test_a_session_ends_by_rest_and_after_all_by_time(sessions: Sessions) -> None:
    session = sessions.begin("token", "t", NOW, LATER)
    assert not session.is_over(NOW + IDLE_US)
    assert session.is_over(NOW + IDLE_US + 1)
    at = NOW
    while not sessions.renewed(session, at).is_over(at):
        at += IDLE_US
    assert NOW + WHOLE_US < at <= NOW + WHOLE_US + IDLE_US
    with pytest.raises(UnauthenticatedError, match="has ended"):
        sessions.read(sessions.cookie(session), NOW + IDLE_US + 1)


def test_a_session_ends_with_what_it_stands_for(sessions: Sessions) -> None:
    session = sessions.begin("token", "t", NOW, NOW + 1000)
    assert not session.is_over(NOW + 1000)
    assert session.is_over(NOW + 1001)


def test_a_session_of_a_kind_that_is_not_known_is_none(sessions: Sessions) -> None:
    # As a newer front may begin one.
    session = replace(sessions.begin("token", "t", NOW, LATER), kind="another")  # type: ignore[arg-type]
    with pytest.raises(UnauthenticatedError, match="did not begin the session"):
        sessions.read(sessions.cookie(session), NOW)


def test_a_session_of_the_future_is_none(sessions: Sessions) -> None:
    for times in ((NOW, NOW + 10 * RENEWED_AFTER_US), (NOW + 1, NOW)):
        assert Session("i", "token", "t", times[0], LATER, times[1]).is_over(NOW)


def test_a_cookie_is_sent_anew_in_use_and_not_with_every_answer(sessions: Sessions) -> None:
    session = sessions.begin("token", "t", NOW, LATER)
    assert not session.is_stale(NOW + RENEWED_AFTER_US)
    assert session.is_stale(NOW + RENEWED_AFTER_US + 1)


def test_who_logged_out_is_not_let_in_again_by_a_copy_of_the_cookie(sessions: Sessions) -> None:
    session = sessions.begin("token", "t", NOW, LATER)
    cookie = sessions.cookie(session)
    sessions.end(session)
    with pytest.raises(UnauthenticatedError, match="has ended"):
        sessions.read(cookie, NOW)
    # However many others do.
    for number in range(MAX_ENDED + 10):
        sessions.end(Session(str(number), "token", "t", NOW + number, LATER, NOW + number))
    assert len(sessions._ended) <= MAX_ENDED


def test_a_form_is_of_one_session(sessions: Sessions) -> None:
    one, other = sessions.begin("token", "t", NOW, LATER), sessions.begin("token", "t", NOW, LATER)
    assert sessions.check_form(one, sessions.form_token(one))
    assert not sessions.check_form(one, sessions.form_token(other))
    assert not sessions.check_form(one, "")
    assert not sessions.check_form(one, "é" * 64)
