"""Calendars: what events say becomes the very times that they mean, or is refused in words. The calendars are made up here, in the shapes
that Outlook, Exchange, Google and others write.
"""

from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.content_lines import read_components, write_components
from api.intake.icalendar import FORMAT
from api.intake.translation import ContradictionError, ForeignError, Mapped, Unmapped
from projections.rules.calendar import Times, covering

SAID = {"as": "freeze", "actor": "person:olga", "tier": "production"}
BERLIN = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+{winter}
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def event(*lines: str, uid: str = "u@x") -> str:
    return "\n".join(("BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT")) + "\n"


def calendar(*parts: str, method: str = "PUBLISH") -> str:
    return f"BEGIN:VCALENDAR\nMETHOD:{method}\n{''.join(parts)}END:VCALENDAR\n"


def zone(name: str, winter: str = "0100") -> str:
    return BERLIN.format(name=name, winter=winter)


def spans(text: str, **said: str) -> list[dict[str, Any]]:
    """Return what a calendar of freezes becomes, but for who said so and of which tier."""
    facts = facts_of(FORMAT, text, SAID | said)
    assert {fact.type for fact in facts} == {"freeze.declared"}
    return [{key: value for key, value in fact.data.items() if key not in ("actor", "tiers")} for fact in facts]


def at(hour: str, day: str = "2026-12-23") -> str:
    return f"{day}T{hour}:00.000000Z"


DAYS = [f"EXDATE:202702{day:02}T170000Z" for day in range(1, 29)]
MORE = [day.replace("202702", "202703") for day in DAYS]
ONE = {"freeze_id": "u@x"}
UTC_TIMES = "DTSTART:20261223T170000Z", "DTEND:20261223T180000Z"
LASTS = ONE | {"start": at("17:00"), "end": at("18:00")}
# What an event is like, the calendar, and what it becomes.
SHAPES: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("in UTC", calendar(event(*UTC_TIMES)), [LASTS]),
    ("by how long it lasts", calendar(event(UTC_TIMES[0], "DURATION:PT1H")), [LASTS]),
    ("in a zone of the world", calendar(event("DTSTART;TZID=Europe/Berlin:20261223T180000", "DURATION:PT1H")), [LASTS]),
    ("in a zone of Windows", calendar(event("DTSTART;TZID=W. Europe Standard Time:20261223T180000", "DURATION:PT1H")), [LASTS]),
    ("in a zone with somebody's prefix", calendar(event("DTSTART;TZID=/x.org/1/Europe/Berlin:20261223T180000", "DURATION:PT1H")), [LASTS]),
    ("in a zone that only the file knows",
     calendar(zone("Bern, Wien"), event('DTSTART;TZID="Bern, Wien":20261223T180000', "DURATION:PT1H")), [LASTS]),
    ("in summer, in that zone", calendar(zone("Custom"), event("DTSTART;TZID=Custom:20260701T180000", "DURATION:PT1H")),
     [ONE | {"start": at("16:00", "2026-07-01"), "end": at("17:00", "2026-07-01")}]),
    ("a day, in the zone that is said", calendar(event("DTSTART;VALUE=DATE:20261223")),
     [ONE | {"start": at("23:00", "2026-12-22"), "end": at("23:00")}]),
    ("days: the last is not one of them", calendar(event("DTSTART;VALUE=DATE:20261223", "DTEND;VALUE=DATE:20261224")),
     [ONE | {"start": at("23:00", "2026-12-22"), "end": at("23:00")}]),
    ("a zone that is empty", calendar(event("DTSTART;TZID=:20261223T180000", "DURATION:PT1H")), [LASTS]),
    ("a rule, with its end in local time and hours that it has anyhow",
     calendar(event("DTSTART;TZID=Europe/Berlin:20261223T180000", "DURATION:PT1H",
                    "RRULE:BYHOUR=18;FREQ=WEEKLY;UNTIL=20270623T180000")),
     [LASTS | {"time_zone": "Europe/Berlin", "recurs": "FREQ=WEEKLY;UNTIL=20270623T160000Z"}]),
    ("left out in UTC, by a date, and in another zone",
     calendar(event("DTSTART;TZID=Europe/Berlin:20261223T180000", "DURATION:PT1H", "RRULE:FREQ=DAILY", "EXDATE:20261224T170000Z",
                    "EXDATE;VALUE=DATE:20261225", "EXDATE;TZID=America/New_York:20261226T120000")),
     [LASTS | {"time_zone": "Europe/Berlin", "recurs": "FREQ=DAILY",
               "except_at": [at("17:00", f"2026-12-{day}") for day in (24, 25, 26)]}]),
    ("one time told anew, before the series",
     calendar(event("RECURRENCE-ID:20261224T170000Z", "DTSTART:20261224T190000Z", "DURATION:PT1H"),
              event(UTC_TIMES[0], "DURATION:PT1H", "RRULE:FREQ=DAILY")),
     [{"freeze_id": "u@x/20261224T170000Z", "start": at("19:00", "2026-12-24"), "end": at("20:00", "2026-12-24")},
      LASTS | {"recurs": "FREQ=DAILY", "except_at": [at("17:00", "2026-12-24")]}]),
    ("one time cancelled",
     calendar(event(UTC_TIMES[0], "DURATION:PT1H", "RRULE:FREQ=DAILY"), event("RECURRENCE-ID:20261224T170000Z", "STATUS:CANCELLED")),
     [LASTS | {"recurs": "FREQ=DAILY", "except_at": [at("17:00", "2026-12-24")]}]),
    ("more times, as long as the first and by themselves",
     calendar(event(*UTC_TIMES, "RDATE:20261225T170000Z", "RDATE;VALUE=PERIOD:20261226T170000Z/PT3H")),
     [LASTS, {"freeze_id": "u@x/20261225T170000Z", "start": at("17:00", "2026-12-25"), "end": at("18:00", "2026-12-25")},
      {"freeze_id": "u@x/20261226T170000Z", "start": at("17:00", "2026-12-26"), "end": at("20:00", "2026-12-26")}]),
    ("the last of two wordings", calendar(event("DTSTART:20270101T000000Z", "DURATION:PT1H", "SEQUENCE:1"), event(*UTC_TIMES, "SEQUENCE:2"),
                                          event("DTSTART:20280101T000000Z", "DURATION:PT1H")), [LASTS]),
    ("who is busy", calendar("BEGIN:VFREEBUSY\nUID:u@x\nFREEBUSY:20261223T170000Z/PT1H\nFREEBUSY;FBTYPE=FREE:20261224T170000Z/PT1H\n"
                             "END:VFREEBUSY\n"), [LASTS | {"freeze_id": "u@x/20261223T170000Z"}]),
    ("an event without a calendar, a mark, folded lines and others that are none",
     "\ufeffBEGIN:VEVENT\r\nUID:u\r\n @x\r\nwhat is this\r\n\r\nDTSTART:20261223T\r\n\t170000Z\r\nDURATION:PT1H\r\nEND:VEVENT", [LASTS]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "becomes"), [pytest.param(*shape[1:], id=shape[0]) for shape in SHAPES])
def test_an_event_is_the_times_that_it_means(text: str, becomes: list[dict[str, Any]]) -> None:
    assert spans(text, zone="Europe/Berlin") == becomes


def test_a_freeze_by_a_rule_holds_at_the_same_hours_of_its_clock_in_winter_and_in_summer() -> None:
    text = calendar(
        zone("W. Europe Standard Time"),
        event(
            "DTSTART;TZID=W. Europe Standard Time:20261127T170000",
            "DTEND;TZID=W. Europe Standard Time:20261130T060000",
            "RRULE:FREQ=WEEKLY;BYDAY=FR",
        ),
    )
    [one] = spans(text)
    times = Times(one["start"], one["end"], one["time_zone"], one["recurs"])
    assert covering(times, "2026-12-04T15:59:59Z") is None
    assert covering(times, "2026-12-04T16:00:00Z") is not None
    assert covering(times, "2027-07-09T14:59:59Z") is None
    assert covering(times, "2027-07-09T15:00:00Z") is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (calendar(event("DTSTART:20261223T170000", "DURATION:PT1H")), "event 1: .* in no zone.* say zone=Europe/Berlin"),
        (calendar(event("DTSTART;VALUE=DATE:20261223")), "in no zone"),
        (calendar(event("DTSTART;TZID=Eastern:20261223T170000", "DURATION:PT1H")), "nobody knows which zone 'Eastern' is"),
        (calendar(zone("Bern, Wien"), event('DTSTART;TZID="Bern, Wien":20261223T180000', "DURATION:PT1H", "RRULE:FREQ=DAILY")),
         "nobody knows which zone 'Bern, Wien' is"),
        (calendar(zone("Europe/Berlin", "0300"), event("DTSTART;TZID=Europe/Berlin:20261223T180000", "DURATION:PT1H")), "other hours"),
        (calendar(event("DTSTART:INVALID", "DURATION:PT1H")), "expected a time such as"),
        (calendar(event("DTSTART:20260230T170000Z", "DURATION:PT1H")), "expected a time such as"),
        (calendar(event("DTSTART:99991231T235959Z", "DURATION:P9D")), "in the years 1 to 9999"),
        (calendar(event(UTC_TIMES[0])), "expected DTEND or DURATION"),
        (calendar(event(UTC_TIMES[0], "DURATION:soon")), "expected how long it lasts"),
        (calendar(event("DURATION:PT1H")), "expected DTSTART"),
        (calendar(event("DTSTART:20261223T170000Z", "DTEND:20261222T170000Z")), "event 1: expected an end"),
        (calendar(event(*UTC_TIMES, "RRULE:FREQ=HOURLY")), "its recurs cannot be held"),
        (calendar(event(*UTC_TIMES, "RRULE:FREQ=DAILY;BYHOUR=3,4")), "its recurs cannot be held"),
        (calendar(event(*UTC_TIMES, "RRULE:FREQ=DAILY", *(f"EXDATE:20270101T{n:02}0000Z" for n in range(24)), *DAYS, *MORE)),
         "its except_at cannot be held"),
        (calendar(event(*UTC_TIMES, "EXRULE:FREQ=DAILY")), "not EXRULE"),
        (calendar(event(*UTC_TIMES, "RECURRENCE-ID;RANGE=THISANDFUTURE:20261223T170000Z")), "split the series"),
        (calendar(event("RECURRENCE-ID:20261223T170000Z", "STATUS:CANCELLED")), "expected the whole series"),
        (calendar("BEGIN:VEVENT\nDTSTART:20261223T170000Z\nDURATION:PT1H\nEND:VEVENT\n"), "expected a UID"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_its_event_and_what_to_say(text: str, words: str) -> None:
    with pytest.raises(ContradictionError, match=words):
        facts_of(FORMAT, text, SAID)


@pytest.mark.parametrize(
    ("part", "parts"), [("RRULE:FREQ=DAILY", 2000), ("RRULE:FREQ=DAILY;COUNT=100000000", 20), ("RDATE:" + "19800101T000000," * 20000, 2)]
)  # fmt: skip
def test_zones_that_take_too_long_to_compute_are_refused(part: str, parts: int) -> None:
    one = f"BEGIN:STANDARD\nDTSTART:19700101T000000\n{part}\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n"
    times = [event("DTSTART;TZID=Odd:20261223T180000", "DURATION:PT1H", uid=f"e{number}") for number in range(200)]
    with pytest.raises(ContradictionError, match="takes too long to compute"):
        spans(calendar(f"BEGIN:VTIMEZONE\nTZID:Odd\n{one * parts}END:VTIMEZONE\n", *times))


def test_what_is_said_beside_names_a_zone_that_nobody_knows_only_where_the_file_has_the_same_hours() -> None:
    told = 'DTSTART;TZID="Bern, Wien":20261223T180000', "DURATION:PT1H", "RRULE:FREQ=DAILY"
    [one] = spans(calendar(zone("Bern, Wien"), event(*told)), zone="Europe/Zurich")
    assert (one["start"], one["time_zone"]) == (at("17:00"), "Europe/Zurich")
    with pytest.raises(ContradictionError, match="says of 'Bern, Wien' other hours than America/New_York has"):
        spans(calendar(zone("Bern, Wien"), event(*told)), zone="America/New_York")
    with pytest.raises(ContradictionError, match=r"nobody knows which zone 'Bern, Wien' is: .*VTIMEZONE"):
        spans(calendar(event(*told)), zone="America/New_York")


def outcome(text: str, **said: str) -> Unmapped | list[tuple[str, dict[str, Any], tuple[str, ...]]]:
    assert FORMAT.redactor is not None
    found = FORMAT.translate(FORMAT.context(SAID | said).beside(text.encode()), FORMAT.redactor.cut(text.encode()))
    return [(fact.type, fact.data, fact.left_out) for fact in found.facts] if isinstance(found, Mapped) else found


def test_what_holds_nobody_up_is_no_freeze_and_is_named() -> None:
    held, tentative, free = (
        event(*UTC_TIMES),
        event(*UTC_TIMES, "STATUS:TENTATIVE", uid="t"),
        event(*UTC_TIMES, "TRANSP:TRANSPARENT", uid="f"),
    )
    [(_, data, left_out)] = outcome(calendar(held, tentative, free))
    assert (data["freeze_id"], left_out) == ("u@x", ("2:tentative", "3:transparent"))
    assert outcome(calendar(tentative)) == Unmapped("icalendar", "1:tentative", "/intake/icalendar")
    # A meeting meets, whether it takes anybody's time or not.
    [(kind, _, _)] = outcome(calendar(free), **{"as": "meeting"})
    assert kind == "cab.meeting_scheduled"


def test_what_is_cancelled_lifts_a_freeze_and_releases_an_environment() -> None:
    lifted = [("freeze.lifted", {"actor": "person:olga", "freeze_id": "u@x"}, ())]
    assert outcome(calendar(event(*UTC_TIMES, "STATUS:CANCELLED"))) == lifted
    assert outcome(calendar(event(*UTC_TIMES), method="CANCEL")) == lifted
    [(kind, data, _)] = outcome(
        calendar(event(*UTC_TIMES, "STATUS:CANCELLED")), **{"as": "reservation", "environment": "perf"}
    )
    assert (kind, data["reservation_id"], data["environment"]) == ("environment.released", "u@x", "perf")
    assert outcome(calendar(event(*UTC_TIMES, "STATUS:CANCELLED")), **{"as": "meeting"}) == Unmapped(
        "icalendar", "1:cancelled", "/intake/icalendar"
    )


@pytest.mark.parametrize(
    ("kind", "said", "becomes", "data"),
    [
        ("compliance-window", {"service": "pay"}, "compliance_window.declared",
         {"window_id": "u@x", "tiers": ["production"], "services": ["pay"]}),
        ("meeting", {}, "cab.meeting_scheduled", {"meeting_id": "u@x", "start": at("17:00"), "end": at("18:00")}),
        ("reservation", {"environment": "perf"}, "environment.reserved",
         {"reservation_id": "u@x", "environment": "perf", "end": at("18:00")}),
        ("release", {"environment": "prod", "release": "2026.48"}, "release.scheduled",
         {"release_id": "2026.48", "environments": ["prod"], "start": at("17:00")}),
        ("readiness", {"environment": "uat", "release": "2026.48"}, "environment.readiness_promised",
         {"release_id": "2026.48", "environment": "uat", "ready_by": at("17:00")}),
    ],
)  # fmt: skip
def test_an_event_is_what_it_is_said_to_be(kind: str, said: dict[str, str], becomes: str, data: dict[str, Any]) -> None:
    [(found, told, _)] = outcome(calendar(event(*UTC_TIMES)), **{"as": kind}, **said)
    assert found == becomes
    assert data.items() <= told.items()


def test_what_must_be_said_beside_is_told_and_a_release_is_one_event() -> None:
    def refused(text: str, words: str, **said: str) -> None:
        with pytest.raises(ContradictionError, match=words):
            facts_of(FORMAT, text, {"actor": "person:olga"} | said)

    one = calendar(event(*UTC_TIMES))
    refused(one, "expected environment or tier", **{"as": "freeze"})
    refused(one, "expected release", **{"as": "release", "environment": "prod"})
    two = calendar(event(*UTC_TIMES), event(*UTC_TIMES, uid="v"))
    refused(
        two,
        "expected one event, for the release 2026.48; found 2",
        **{"as": "release", "environment": "prod", "release": "2026.48"},
    )
    recurring = calendar(event(*UTC_TIMES, "RRULE:FREQ=DAILY"))
    refused(recurring, "expected one time, and not a series", **{"as": "reservation", "environment": "perf"})
    refused(calendar(*(event(*UTC_TIMES, uid=f"u{n}") for n in range(201))), "at most 200 events", **SAID)
    refused(calendar(*(event(*UTC_TIMES, uid=f"u{n}") for n in range(801))), "at most 800 events", **SAID)


def test_who_was_invited_and_where_is_cut_and_what_is_cut_says_the_same() -> None:
    assert FORMAT.redactor is not None
    secret = event(
        *UTC_TIMES, "SUMMARY:s3cret", "LOCATION:s3cret", "ATTENDEE;CN=s3cret:MAILTO:s3cret@x", "X-WR-URL:s3cret"
    )
    kept = FORMAT.redactor.cut(calendar(secret, "BEGIN:VTODO\nUID:s3cret\nEND:VTODO\n").encode())
    assert b"s3cret" not in kept
    assert FORMAT.redactor.cut(kept) == kept
    assert spans(kept.decode()) == [LASTS]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "not-icalendar"), ("BEGIN:VCARD\nEND:VCARD\n", "not-icalendar"), ("{}", "not-icalendar"),
     ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "cut-off"), ("BEGIN:VCALENDAR\nEND:VEVENT\n", "an-end-without-its-beginning"),
     ("BEGIN:A\n" * 20, "too-deep")],
)  # fmt: skip
def test_what_is_no_calendar_is_not_half_read(text: str, reason: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match=f"^{reason}$"):
        FORMAT.redactor.cut(text.encode())


def test_lines_are_folded_between_characters_and_read_as_they_were() -> None:
    text = f'BEGIN:VEVENT\r\nSUMMARY;X="a,b":{"ä" * 100}\r\nEND:VEVENT\r\n'
    written = write_components(read_components(text.encode()))
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert read_components(written) == read_components(text.encode())


def test_no_mutation_of_a_calendar_is_worse_than_refused() -> None:
    assert FORMAT.redactor is not None
    text = calendar(zone("W. Europe Standard Time"), *(shape[1].partition("\n")[2] for shape in SHAPES[10:14]))
    for body in mutations(text.encode(), 400):
        try:
            kept = FORMAT.redactor.cut(body)
            found = FORMAT.translate(FORMAT.context(SAID | {"zone": "Europe/Berlin"}).beside(body), kept)
        except (ForeignError, ContradictionError):
            continue
        assert isinstance(found, Mapped | Unmapped)
