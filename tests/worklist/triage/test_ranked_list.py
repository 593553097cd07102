"""One page of the ranked list: order, filters, search, counts, and which study is next."""

from datetime import timedelta
from itertools import chain

import pytest
from sqlalchemy import event, select

from tests.factories import make_classifier, make_instance, make_study, make_user
from worklist.dicom.header import folded
from worklist.errors import Invalid
from worklist.reading import claims
from worklist.tables import (
    Attention,
    BodyPart,
    ClassifierState,
    ClinicalPriority,
    ReadingState,
    Result,
    Scope,
    Study,
)
from worklist.triage import list_query, ranked_list, study_search
from worklist.triage.list_query import Due, Filters
from worklist.triage.ranked_list import counts, next_study_id, ranked_page

READ = {"reading_state": ReadingState.READ, "is_open": False}


def ids(session, **filters):
    return [row.study_id for row in ranked_page(session, Filters(**filters)).rows]


def named(session, name, **values):
    return make_study(session, patient_name=name, patient_name_folded=folded(name), **values)


@pytest.fixture
def statements(engine):
    seen = []

    def note(_connection, _cursor, statement, *_):
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


class TestOrder:
    def test_the_most_urgent_study_stands_on_top(self, session, frozen):
        old_normal = make_study(session, probability=0.05, waiting_minutes=30)
        unscored = make_study(session, waiting_minutes=10)
        fresh_abnormal = make_study(session, probability=0.97)
        stat = make_study(session, clinical_priority=ClinicalPriority.STAT)
        assert ids(session) == [stat.id, fresh_abnormal.id, unscored.id, old_normal.id]

    def test_studies_of_one_moment_stand_in_the_order_they_were_registered(self, session, frozen):
        one, other = make_study(session), make_study(session)
        assert ids(session) == [one.id, other.id]

    @pytest.mark.parametrize(
        ("result", "scope"),
        [
            (Result.FAILED, Scope.IN),
            (Result.OUT_OF_SCOPE, Scope.OUT),
            (Result.NO_CLASSIFIER, Scope.IN),
            (Result.WAITING, Scope.UNKNOWN),
        ],
    )
    def test_a_study_without_a_probability_stands_at_its_age_with_the_reason(
        self, session, frozen, result, scope
    ):
        before = make_study(session, waiting_minutes=20)
        study = make_study(
            session, waiting_minutes=10, result=result, scope=scope, result_reason="It is a knee."
        )
        after = make_study(session)
        rows = ranked_page(session, Filters()).rows
        assert [row.study_id for row in rows] == [before.id, study.id, after.id]
        assert rows[1].result_reason == "It is a knee."
        assert rows[1].reason == "No probability: by arrival"

    def test_time_passing_changes_nothing(self, session, frozen):
        for probability in (0.1, 0.9, None, 0.5):
            make_study(session, probability=probability, waiting_minutes=30)
        before = ids(session)
        frozen.advance(days=40)
        assert ids(session) == before


class TestRow:
    def test_a_row_shows_what_the_list_needs(self, session, frozen):
        study = make_study(session, probability=0.9, images=2, warning="Two patient IDs.")
        row = ranked_page(session, Filters()).rows[0]
        assert (row.patient_name, row.patient_id) == (study.patient_name, study.patient_id)
        assert (row.image_count, row.warning, row.received_at) == (2, "Two patient IDs.", frozen.time)
        # 20 minutes for each unit of logit between 0.9 and the highest that counts, 0.98.
        assert row.cannot_be_passed_after - frozen.time == pytest.approx(
            timedelta(minutes=33.892), abs=timedelta(seconds=0.1)
        )

    def test_only_current_images_are_counted(self, session):
        study = make_study(session, images=1)
        series = study.series[0]
        make_instance(session, series, is_current=False)
        make_instance(session, series, rows=None, columns=None)
        assert ranked_page(session, Filters()).rows[0].image_count == 1

    def test_the_reader_who_has_it_open_is_named_until_the_lease_ends(self, session, frozen):
        study, rita = make_study(session), make_user(session, "rita")
        claims.claim(session, study.id, rita.id)
        assert ranked_page(session, Filters()).rows[0].claimed_by == "Rita"
        frozen.advance(seconds=301)
        assert ranked_page(session, Filters()).rows[0].claimed_by is None

    def test_the_threshold_is_that_of_the_classifier_in_charge(self, session):
        make_classifier(session, threshold=0.2, state=ClassifierState.RETIRED)
        make_classifier(session, threshold=0.7)
        make_study(session, body_part=BodyPart.ELBOW)
        assert ranked_page(session, Filters()).rows[0].threshold_flagged == 0.7

    def test_a_study_of_unknown_body_part_has_no_threshold(self, session):
        make_classifier(session)
        make_study(session, body_part=None)
        assert ranked_page(session, Filters()).rows[0].threshold_flagged is None

    def test_a_page_takes_as_many_statements_whatever_its_rows(self, session, statements):
        for _ in range(12):
            make_study(session, images=2)
        session.flush()
        statements.clear()
        ranked_page(session, Filters(search="syn"))
        # How broad the search is; which studies; the policy; what their rows show.
        assert len(statements) == 4


class TestFilters:
    def test_read_studies_have_left_the_open_list(self, session):
        make_study(session, **READ)
        waiting = make_study(session)
        assert ids(session) == [waiting.id]

    @pytest.mark.parametrize("state", ["unread", "reading", "deferred", "read"])
    def test_each_state_shows_its_studies_only(self, session, state):
        for each in ReadingState:
            make_study(session, reading_state=each, is_open=each is not ReadingState.READ)
        rows = ranked_page(session, Filters(state=state)).rows
        assert [row.reading_state for row in rows] == [ReadingState(state)]

    def test_filters_are_combined(self, session):
        wanted = make_study(session, body_part=BodyPart.HAND, attention=Attention.FLAGGED, result=Result.SCORED)
        make_study(session, body_part=BodyPart.HAND, attention=Attention.NONE, result=Result.SCORED)
        make_study(session, body_part=BodyPart.ELBOW, attention=Attention.FLAGGED, result=Result.SCORED)
        make_study(session, body_part=BodyPart.HAND, attention=Attention.FLAGGED, result=Result.FAILED)
        filters = {"body_part": BodyPart.HAND, "attention": Attention.FLAGGED, "result": Result.SCORED}
        assert ids(session, **filters) == [wanted.id]

    def test_a_state_that_does_not_exist_is_refused_with_those_that_do(self, session):
        with pytest.raises(
            Invalid, match=r"'lost'.*open, unread, reading, deferred, second, arbitration, read"
        ):
            ranked_page(session, Filters(state="lost"))


class TestDeadlines:
    def test_late_studies_come_in_the_order_of_their_deadlines(self, session, frozen):
        urgent = ClinicalPriority.STAT
        second = make_study(session, waiting_minutes=65, clinical_priority=urgent, probability=0.9)
        first = make_study(session, waiting_minutes=25 * 60, probability=0.1)
        soon = make_study(session, waiting_minutes=30, clinical_priority=urgent)
        make_study(session, waiting_minutes=60)
        make_study(session, waiting_minutes=48 * 60, **READ)
        assert ids(session, due=Due.LATE) == [first.id, second.id]
        assert ids(session, due=Due.HOUR) == [first.id, second.id, soon.id]
        assert counts(session).late == 2

    def test_pages_of_late_studies_follow_one_another(self, session, frozen):
        made = [
            make_study(session, waiting_minutes=3000 - number, probability=number % 9 / 10)
            for number in range(7)
        ]
        page = ranked_page(session, Filters(due=Due.LATE), limit=3)
        seen = [row.study_id for row in page.rows]
        while page.after:
            page = ranked_page(session, Filters(due=Due.LATE), after=page.after, limit=3)
            seen += [row.study_id for row in page.rows]
        assert seen == [study.id for study in made]

    def test_next_study_of_the_late_ones_is_the_one_whose_time_is_over_longest(self, session, frozen):
        make_study(session, waiting_minutes=1500, probability=0.95)
        longest = make_study(session, waiting_minutes=1600, probability=0.05)
        assert next_study_id(session, Filters(due=Due.LATE), after_study_id=None) == longest.id


class TestSearch:
    @pytest.mark.parametrize(
        "words",
        [
            "Müller",
            "muller",
            "MÜLL",
            "müller, jörg",
            "Muller^Jorg",
            "mull jorg",
            "müller peter",
            "  muller  ",
            "mul\u00a0jorg",
            "mu\u0308ller",
            "peter mül",
            "jörg peter müller",
        ],
    )
    def test_a_name_is_found_by_its_beginning_and_by_more_words(self, session, words):
        found = named(session, "Müller^Jörg^Peter")
        named(session, "Maler^Jörg")
        assert ids(session, search=words) == [found.id]

    @pytest.mark.parametrize("words", ["uller", "org", "muller anna", "mu%", "m_ller", "%", "_", "\\"])
    def test_another_name_is_not_found(self, session, words):
        named(session, "Müller^Jörg")
        assert ids(session, search=words) == []

    @pytest.mark.parametrize("words", ["50%", "o_a", "rita %", "rita _"])
    def test_wildcards_are_ordinary_letters(self, session, words):
        plain = {"patient_id": "5012", "accession_number": "OXA"}
        named(session, "RITA^ANY", **plain)
        assert ids(session, search=words) == []

    def test_a_percent_sign_is_found_where_there_is_one(self, session):
        found = named(session, "RITA^100%")
        named(session, "RITA^1000")
        assert ids(session, search="rita 100%") == [found.id]

    @pytest.mark.parametrize("words", ["ABC-1", "abc-1", "ABC-12"])
    def test_a_patient_id_or_accession_number_is_found_by_its_beginning(self, session, words):
        one = make_study(session, patient_id="ABC-123")
        other = make_study(session, accession_number="ABC-124", patient_id="X")
        make_study(session, patient_id="XABC-123")
        assert ids(session, search=words) == [one.id, other.id]

    def test_a_patient_id_in_small_letters_is_found_as_it_is_written(self, session):
        found = make_study(session, patient_id="abc-9")
        assert ids(session, search="abc") == [found.id]

    @pytest.mark.parametrize("words", ["", "   ", "\x00", "\x00\x07"])
    def test_an_empty_search_shows_everything(self, session, words):
        make_study(session)
        assert len(ids(session, search=words)) == 1

    @pytest.mark.parametrize("words", [",", "^", "´", "☢", "'; DROP TABLE study; --"])
    def test_a_search_without_sense_finds_nothing_and_breaks_nothing(self, session, words):
        make_study(session)
        assert ids(session, search=words) == []

    @pytest.mark.parametrize("narrow", [1, 1000])
    def test_a_broad_search_finds_what_a_narrow_one_finds_in_rank_order(
        self, session, frozen, monkeypatch, narrow
    ):
        monkeypatch.setattr(study_search, "NARROW_SEARCH", narrow)
        later = named(session, "SMITH^A", waiting_minutes=1)
        first = named(session, "SMITH^B", waiting_minutes=60)
        named(session, "MEYER^C")
        named(session, "SMITH^D", **READ)
        assert ids(session, search="sm") == [first.id, later.id]

    @pytest.mark.parametrize("narrow", [1, 1000])
    @pytest.mark.parametrize("words", ["john smith", "smi jo", "Jon, Smith-J", "jones paul"])
    def test_parts_of_a_name_come_in_any_order(self, session, monkeypatch, narrow, words):
        monkeypatch.setattr(study_search, "NARROW_SEARCH", narrow)
        found = named(session, "SMITH-JONES^JOHN PAUL^^=JONES")
        named(session, "SMYTHE^JOHN PAUL")
        assert ids(session, search=words) == [found.id]

    @pytest.mark.parametrize("way", ["narrow", "broad by number found", "broad by rarest word"])
    def test_pages_of_a_search_are_the_same_whichever_way_it_is_found(self, session, monkeypatch, way):
        # Broad searches look at one row, then at three, then at the names.
        monkeypatch.setattr(list_query, "STRETCHES", (1, 3))
        if way == "broad by number found":
            monkeypatch.setattr(study_search, "NARROW_SEARCH", 1)
        elif way == "broad by rarest word":
            monkeypatch.setattr(study_search, "RARE_WORD", 1)
        for number in range(40):
            name = "SMITH^JO" if number % 3 else "SMITH^ANN"
            named(
                session, name, waiting_minutes=number % 7, body_part=(BodyPart.WRIST, BodyPart.HAND)[number % 2]
            )
        filters = {"search": "jo smi", "body_part": BodyPart.WRIST}
        expected = [
            study.id
            for study in session.scalars(select(Study).order_by(Study.rank_key, Study.id))
            if study.patient_name_folded == "SMITH^JO" and study.body_part is BodyPart.WRIST
        ]
        assert len(expected) == 13
        pages = TestPaging().pages(session, limit=4, **filters)
        assert [study_id for page in pages for study_id in page] == expected
        assert next_study_id(session, Filters(**filters), after_study_id=expected[4]) == expected[5]

    def test_a_search_looks_into_the_chosen_state_only(self, session):
        named(session, "Rita", **READ)
        waiting = named(session, "Rita")
        assert ids(session, search="rita") == [waiting.id]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("Müller", "MULLER"), ("Straße", "STRASSE"), ("Çelik^Ayşe", "CELIK^AYSE"), ("ﬁ", "FI"), ("", "")],
    )
    def test_names_are_folded_to_upper_case_without_accents(self, text, expected):
        assert folded(text) == expected
        assert folded(folded(text)) == expected


class TestPaging:
    def pages(self, session, limit=3, between=lambda: None, **filters):
        seen, after = [], None
        while True:
            page = ranked_page(session, Filters(**filters), after=after, limit=limit)
            seen.append([row.study_id for row in page.rows])
            after = page.after
            if after is None:
                return seen
            between()

    def test_pages_follow_each_other_without_gap_or_double(self, session, frozen):
        made = [make_study(session, waiting_minutes=number // 2).id for number in range(10)]
        pages = self.pages(session)
        assert [len(page) for page in pages] == [3, 3, 3, 1]
        assert sorted(chain(*pages)) == sorted(made)
        assert list(chain(*pages)) == ids(session)

    def test_studies_that_arrive_between_pages_neither_repeat_nor_hide_others(self, session, frozen):
        made = [make_study(session, probability=0.5, waiting_minutes=n).id for n in range(9)]

        def arrive():
            make_study(session, probability=0.97)
            make_study(session, probability=0.03)

        seen = list(chain(*self.pages(session, between=arrive)))
        assert len(seen) == len(set(seen))
        assert [study_id for study_id in seen if study_id in made] == list(reversed(made))

    def test_a_study_read_between_pages_hides_nobody(self, session, frozen):
        made = [make_study(session, waiting_minutes=100 - n) for n in range(6)]
        first = ranked_page(session, Filters(), limit=3)
        made[2].reading_state, made[2].is_open = ReadingState.READ, False
        session.flush()
        second = ranked_page(session, Filters(), after=first.after, limit=3)
        assert [row.study_id for row in second.rows] == [study.id for study in made[3:]]

    def test_the_last_page_has_no_cursor_even_if_it_is_full(self, session):
        for _ in range(3):
            make_study(session)
        assert ranked_page(session, Filters(), limit=3).after is None

    def test_an_empty_list_is_one_empty_page(self, session):
        assert ranked_page(session, Filters()) == ranked_list.RankedPage((), None)

    @pytest.mark.parametrize(
        "cursor", ["", "x", "1", "1.2.3", "1.x", "1.5e3", "9" * 30 + ".1", "1." + "9" * 30, "１.２", "1_0.2"]
    )
    def test_a_broken_cursor_is_refused_in_words(self, session, cursor):
        with pytest.raises(Invalid, match="is not a place in this list"):
            ranked_page(session, Filters(), after=cursor)

    def test_a_cursor_of_a_place_where_nobody_stands_any_more_still_works(self, session, frozen):
        study = make_study(session)
        assert ranked_page(session, Filters(), after="0.999999999999").rows[0].study_id == study.id


class TestCounts:
    def test_each_kind_is_counted(self, session):
        make_study(session, probability=0.9, attention=Attention.FLAGGED)
        make_study(session)
        make_study(session, result=Result.NO_CLASSIFIER)
        make_study(session, result=Result.FAILED)
        make_study(session, result=Result.OUT_OF_SCOPE, reading_state=ReadingState.READING)
        make_study(session, probability=0.2, reading_state=ReadingState.DEFERRED)
        make_study(session, probability=0.9, attention=Attention.FLAGGED, **READ)
        found = counts(session)
        assert (found.open, found.flagged, found.failed) == (6, 1, 1)
        assert (found.waiting_for_score, found.without_classifier) == (1, 1)
        assert (found.out_of_scope, found.reading, found.deferred) == (1, 1, 1)

    def test_counting_stops_at_the_limit(self, session, monkeypatch):
        monkeypatch.setattr(ranked_list, "COUNT_LIMIT", 3)
        for _ in range(6):
            make_study(session)
        assert counts(session).open == 4

    def test_everything_is_counted_in_one_statement(self, session, statements):
        counts(session)
        assert len(statements) == 1


class TestNextStudy:
    @pytest.fixture
    def three(self, session, frozen):
        return [make_study(session, waiting_minutes=minutes) for minutes in (30, 20, 10)]

    def test_a_reader_begins_at_the_top(self, session, three):
        assert next_study_id(session, Filters(), after_study_id=None) == three[0].id

    def test_a_reader_who_skipped_a_study_goes_on_below_it(self, session, three):
        assert next_study_id(session, Filters(), after_study_id=three[1].id) == three[2].id

    def test_below_the_last_study_the_list_begins_again(self, session, three):
        assert next_study_id(session, Filters(), after_study_id=three[2].id) == three[0].id

    def test_a_reader_who_finished_a_study_starts_from_the_top(self, session, three):
        three[1].reading_state, three[1].is_open = ReadingState.READ, False
        urgent = make_study(session, clinical_priority=ClinicalPriority.STAT)
        assert next_study_id(session, Filters(), after_study_id=three[1].id) == urgent.id

    def test_a_study_that_somebody_has_open_is_left_out_until_the_lease_ends(self, session, three, frozen):
        claims.claim(session, three[0].id, make_user(session, "lena").id)
        assert next_study_id(session, Filters(), after_study_id=None) == three[1].id
        frozen.advance(seconds=301)
        claims.expire(session)
        assert next_study_id(session, Filters(), after_study_id=None) == three[0].id

    def test_the_only_study_is_not_its_own_next(self, session, frozen):
        only = make_study(session)
        assert next_study_id(session, Filters(), after_study_id=only.id) is None

    def test_filters_hold_for_the_next_study_too(self, session, three):
        elbow = make_study(session, body_part=BodyPart.ELBOW)
        filters = Filters(body_part=BodyPart.ELBOW)
        assert next_study_id(session, filters, after_study_id=three[0].id) == elbow.id

    def test_with_nothing_waiting_there_is_no_next_study(self, session):
        make_study(session, **READ)
        assert next_study_id(session, Filters(), after_study_id=12345) is None
