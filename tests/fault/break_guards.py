"""Every guard of the loader broken on purpose, one at a time: the tests named must notice it.

    python tests/fault/break_guards.py                all of them
    python tests/fault/break_guards.py --only undo    those with this word in file or name

Each guard is a patch of one place in the source, applied in a temporary copy. A patch that no longer applies, a copy
that can't be imported and a guard that no test notices each end with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("etl", "tests", "mappings", "pyproject.toml")
LOAD = "tests/unit/load/test_"
FAILED = 1
"""Exit code of pytest where tests failed; any other is no proof."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: `old` stands once in `file` and becomes `new`. `tests`: a file of tests and pytest's -k."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, str]


def _guard(name: str, file: str, old: str, new: str, tests: str, only: str = "") -> Guard:
    return Guard(name, f"etl/{file}", old, new, (f"tests/{tests}" if "/" in tests else f"{LOAD}{tests}.py", only))


GUARDS = (
    # The intent and its fate
    _guard(
        "bytes leave without an intent on disk",
        "load/sender.py",
        "await self._commit.do(lambda steps: record.intend(steps, now), *record.numbers)",
        "await asyncio.sleep(0)",
        "poster",
        "posted_once",
    ),
    _guard(
        "an unclear answer counts as not sent",
        "model/states.py",
        "Kind.UNKNOWN: State.UNKNOWN,",
        "Kind.UNKNOWN: State.READY,",
        "poster",
        "late_commit or never_processed",
    ),
    _guard(
        "429 counts as a refusal",
        "model/states.py",
        "Kind.WAIT: State.READY,",
        "Kind.WAIT: State.REJECTED,",
        "poster",
        "429_makes_all_wait",
    ),
    _guard(
        "an answer without an id is an acceptance",
        "mews/answers.py",
        "if missing := operation.missing(body):",
        "if (missing := operation.missing(body)) and not operation.is_write:",
        "unit/mews/test_mews_answers.py",
        "valid_order_id or own_key",
    ),
    _guard(
        "a part is sent from any state",
        "ledger/send_steps.py",
        "if state is not State.READY or not is_current:",
        "if not is_current:",
        "ledger",
        "never_intended_again",
    ),
    _guard(
        "a late answer to an older attempt is taken for this one's",
        "ledger/send_steps.py",
        "if row.seq != seq or not (row.state is State.IN_FLIGHT or self._counts_late(row, outcome)):",
        "if row.state is not State.IN_FLIGHT:",
        "ledger",
        "older_attempt",
    ),
    _guard(
        "a stale intent is not written anew",
        "mews/transport.py",
        "if self._clock.monotonic() - ticks >= STALE_SECONDS:\n            return True",
        "",
        "unit/mews/test_mews_transport.py",
    ),
    _guard(
        "a machine that slept goes by its monotonic clock alone",
        "mews/transport.py",
        "return wall is not None and abs((self._clock.wall() - wall).total_seconds()) >= STALE_SECONDS",
        "return False",
        "unit/mews/test_mews_transport.py",
    ),
    _guard(
        "an unforeseen fault counts as not sent, whatever was under way",
        "load/sender.py",
        'return Outcome(Kind.UNKNOWN, message=f"internal fault',
        'return Outcome(Kind.NOT_SENT, message=f"internal fault',
        "sender",
        "unforeseen",
    ),
    _guard(
        "other bytes are sent than were kept",
        "load/sender.py",
        "content = request.payload.content\n",
        "content = request.payload.content + b' '\n",
        "sender",
        "byte_for_byte",
    ),
    # Customers
    _guard(
        "an unclear answer about a customer counts as not sent",
        "ledger/customer_steps.py",
        "    Kind.UNKNOWN: CustomerState.UNKNOWN,\n",
        "    Kind.UNKNOWN: CustomerState.READY,\n",
        "customers",
        "in_doubt or two_looks",
    ),
    _guard(
        "one look proves that a customer was not made",
        "load/customers.py",
        "steps.miss_customer(row.email, proved=False, at=ended)",
        "steps.miss_customer(row.email, proved=True, at=ended)",
        "customers",
        "two_looks",
    ),
    _guard(
        "what a dead process left of a customer is made again",
        "ledger/customer_steps.py",
        "self._move_customer(row, CustomerState.UNKNOWN, message=message, settle_from=stamp(at))\n\n    def find",
        "self._move_customer(row, CustomerState.READY, message=message, settle_from=stamp(at))\n\n    def find",
        "customers",
        "dead_process_made",
    ),
    # After a crash
    _guard(
        "what was in flight when its process died is ready",
        "ledger/send_steps.py",
        "row.move(State.UNKNOWN)\n                row.settle_from, row.code",
        "row.state = State.READY\n                row.settle_from, row.code",
        "crash_windows",
        "disk_says",
    ),
    _guard(
        "a run does not settle what a dead process left",
        "load/session.py",
        "steps.start_settling(sent_before)",
        "pass",
        "crash_windows",
        "disk_says",
    ),
    _guard(
        "an undo takes over from another machine without its five seconds",
        "load/undo.py",
        "steps.start_settling(self._session.last_sent_before())",
        "steps.start_settling(self._session.time.latest())",
        "undo",
        "certainly_stopped",
    ),
    _guard(
        "a run takes over from another machine without its five seconds",
        "load/session.py",
        "sent_before = self.last_sent_before()",
        "sent_before = self.time.latest()",
        "poster",
        "certainly_stopped",
    ),
    # The lock
    _guard(
        "the lock is not verified before writing",
        "ledger/lock.py",
        "if row is None or row.token != token:",
        "if False:",
        "survey",
        "lost_its_lock",
    ),
    _guard(
        "the lock of a living process is taken",
        "ledger/lock.py",
        "    if alive(holder):\n        raise held_by(held)",
        "    return",
        "ledger",
        "second_run",
    ),
    _guard(
        "the lock of another host is taken without being told",
        "ledger/lock.py",
        "if take_over == holder.host:",
        "if True:",
        "ledger",
        "hosts_lock",
    ),
    # Absence
    _guard(
        "one scan proves absence",
        "load/survey.py",
        "if part.unseen_at is None:\n            steps.miss(*key, part.seq, proved=False, at=ended)",
        "if part.unseen_at is None:\n            steps.miss(*key, part.seq, proved=True, at=ended)",
        "survey",
        "lie_apart",
    ),
    _guard(
        "the first scan comes before the settling time",
        "load/survey.py",
        "if look.started < part.settle_from + self._settle:",
        "if look.started < part.settle_from:",
        "survey",
        "no_first_one",
    ),
    _guard(
        "the second scan follows at once",
        "load/survey.py",
        "elif look.started >= part.unseen_at + self._settle / 2:",
        "elif look.started >= part.unseen_at:",
        "survey",
        "lie_apart",
    ),
    _guard(
        "what a worker has in hand is judged by a scan",
        "load/survey.py",
        "unknown = [part for part in self._ledger.unsettled() if not self._is_busy(part.number)]",
        "unknown = list(self._ledger.unsettled())",
        "survey",
        "no_absence_is_proved",
    ),
    _guard(
        "the scan starts at the watermark, whatever is in doubt",
        "load/survey.py",
        "start = min([watermark, *_first_sends(in_doubt, PartKind.ORDER)])",
        "start = watermark",
        "survey",
        "window_starts",
    ),
    _guard(
        "the watermark has no room for reads that lag",
        "load/survey.py",
        "        until = look.started - self._settle\n        before",
        "        until = look.started\n        before",
        "survey",
        "leaves_room",
    ),
    _guard(
        "what was sent again is not looked up again",
        "ledger/send_steps.py",
        "row.recheck = RECHECKS",
        "row.recheck = 0",
        "poster",
        "looked_up_twice_more",
    ),
    _guard(
        "an order proved absent is sent again for ever",
        "ledger/sight_steps.py",
        "if counts and row.absents % GIVE_UP == 0:",
        "if False:",
        "poster",
        "gives_up",
    ),
    _guard(
        "unmarked items that look like an order prove nothing",
        "load/survey.py",
        "if candidates:\n            steps.hold(*key, candidates)",
        "if False:\n            steps.hold(*key, candidates)",
        "poster",
        "without_any_mark",
    ),
    _guard(
        "cancelled items prove no presence",
        "evidence/scan.py",
        "elif identity.store == store and not identity.is_undo:",
        "elif identity.store == store and not identity.is_undo and not row.is_canceled:",
        "survey",
        "prove_presence",
    ),
    _guard(
        "undo entries prove presence",
        "evidence/scan.py",
        "elif identity.store == store and not identity.is_undo:",
        "elif identity.store == store:",
        "survey",
        "prove_nothing",
    ),
    _guard(
        "another store's orders are ours",
        "evidence/scan.py",
        "elif identity.store == store and not identity.is_undo:",
        "elif not identity.is_undo:",
        "survey",
        "prove_nothing",
    ),
    _guard(
        "other amounts are the order",
        "ledger/unit_of_work.py",
        "row.move(State.DIFFERENT if differs else State.POSTED)",
        "row.move(State.POSTED)",
        "survey",
        "other_amounts",
    ),
    _guard(
        "another tax code is the order as sent",
        "evidence/match.py",
        "if seen - sent or (sent - seen and not is_predicted):",
        "if False:",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "what looks like an order but for its tax code proves its absence",
        "load/attempted.py",
        "and match_order(attempt, rows).is_money_as_sent",
        "and match_order(attempt, rows).is_as_sent",
        "survey",
        "another_tax_code",
    ),
    _guard(
        "a tax that was not predicted is the order as sent",
        "evidence/match.py",
        "(found.notices if near else found.differences).append(one)\n    return False",
        "found.notices.append(one)\n    return False",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "recover takes a payment in doubt for the one that was sent",
        "load/recovery.py",
        "rows = [in_doubt[one] for one in ids if one in in_doubt]",
        "rows = [in_doubt[one] for one in ids if one in ()]",
        "one_judgement",
        "payment_in_doubt",
    ),
    _guard(
        "recover believes an OrderId that Mews does not know",
        "load/recovery.py",
        "is_held and self._key in self._met.nowhere and",
        "is_held and self._key in () and",
        "one_judgement",
        "one_sighting",
    ),
    # A ledger that is lost, old, or a copy
    _guard(
        "orders that the ledger never sent are passed over",
        "load/sighter.py",
        "if part is None or _is_unsent(part):\n            look.signs.never_sent[number] = None",
        "if part is None or _is_unsent(part):\n            return set()",
        "poster",
        "fresh_ledger or old_copy",
    ),
    _guard(
        "an order of which Mews acted on no attempt counts as sent",
        "ledger/send_steps.py",
        "_NOT_ACTED_ON = frozenset({Kind.NOT_SENT, Kind.WAIT, Kind.STOP})",
        "_NOT_ACTED_ON = frozenset({Kind.NOT_SENT})",
        "survey",
        "never_sent",
    ),
    _guard(
        "cancelled items of posted orders are passed over",
        "load/sighter.py",
        "if suspects:",
        "if False:",
        "undo",
        "one_sign",
    ),
    _guard(
        "items cancelled long after they were created are not looked for",
        "load/survey.py",
        "        if watermark is not None:\n            # What was cancelled may have",
        "        if False:\n            # What was cancelled may have",
        "undo",
        "long_after",
    ),
    _guard(
        "undo payments that the ledger does not know are passed over",
        "load/sighter.py",
        "elif order is not None and order.state in IN_MEWS:\n        look.signs.reversed[number] = None",
        "elif order is not None and order.state in IN_MEWS:\n        return None",
        "undo",
        "one_sign or knows_less",
    ),
    _guard(
        "a run that sends nothing does not look",
        "load/poster.py",
        "if not again and writes == looked_at and self._watcher.has_looked:",
        "if not again and writes == looked_at:",
        "poster",
        "nothing_to_send",
    ),
    _guard(
        "a run does not look back",
        "load/poster.py",
        "        await self._look_back(no_wait=no_wait)\n",
        "        pass\n",
        "poster",
        "copies_of_a_ledger or a_ledger_at_once",
    ),
    _guard(
        "a run that stops itself does not look back",
        "load/poster.py",
        "            await self._watcher.look_back_after_stop()\n",
        "            pass\n",
        "poster",
        "looks_back",
    ),
    _guard(
        "an undo does not look back",
        "load/undo.py",
        "if not self._session.sender.writes or self._halt.is_set:",
        "if True:",
        "undo",
        "undo_at_once",
    ),
    _guard(
        "copies are this ledger's own, however many",
        "load/signs.py",
        "return copies <= sum(attempt.outcome in _ARRIVED for attempt in attempts)",
        "return True",
        "poster",
        "a_ledger_at_once",
    ),
    _guard(
        "copies are never this ledger's own",
        "load/signs.py",
        "return copies <= sum(attempt.outcome in _ARRIVED for attempt in attempts)",
        "return False",
        "poster",
        "beyond_the_bounds",
    ),
    _guard(
        "a run does not look before its first write",
        "load/poster.py",
        "        if not self._watcher.has_looked:\n",
        "        if False:\n",
        "poster",
        "fresh_ledger or old_copy",
    ),
    _guard(
        "orders of several kinds go before the first look",
        "load/poster.py",
        "            job = None if self._is_spent else self._kinds.take_stuck()\n",
        "            job = None if self._is_spent else self._kinds.take_stuck()\n            self._watcher._last = 0.0\n",
        "kinds",
        "looks_before",
    ),
    _guard(
        "an order in doubt is recovered beside its reversal",
        "load/survey.py",
        "        look.signs.reversed.update((key[0], None) for key in look.present if key in look.in_doubt_undone)\n",
        "",
        "undo",
        "in_doubt_that",
    ),
    _guard(
        "an order under another id is a copy",
        "load/survey.py",
        "if name == ORDER_PART and len(copies) == 1 and await",
        "if False and await",
        "survey",
        "another_id",
    ),
    # Refusals and pace
    _guard(
        "equal refusals never stop a run",
        "load/breaker.py",
        "if self.refusals >= EQUAL_REFUSALS:",
        "if False:",
        "poster",
        "twenty_equal",
    ),
    _guard(
        "refused credentials do not stop a run",
        "load/traffic.py",
        "stop = _refused_credentials(outcome)",
        "stop = None",
        "poster",
        "refused_credentials",
    ),
    _guard(
        "a return does not wait for its order",
        "load/returns.py",
        "if not job.order.parent or not job.send_order:\n            return True",
        "return True",
        "poster",
        "a_return_waits or without_its_order",
    ),
    _guard(
        "the window is not looked at before sending",
        "load/sender.py",
        "if consumption < window_start(now):",
        "if False:",
        "poster",
        "just_before_sending",
    ),
    _guard(
        "the first order is not read back",
        "load/first_order.py",
        "        if faults:\n            raise StoppedError(",
        "        if False:\n            raise StoppedError(",
        "poster",
        "reads_back_wrong",
    ),
    _guard(
        "a limit of N is one of N + 1",
        "mews/limiter.py",
        "return self._take(now, self._window, self.count, self._want)",
        "return self._take(now, self._window, self.count + 1, self._want)",
        "unit/mews/test_mews_limiter.py",
    ),
    _guard(
        "the limiter's window is a tenth too short",
        "mews/limiter.py",
        "self._window = self.seconds * (1 + _CLOCK_DRIFT) + min(_MARGIN, 0.002 * self.seconds)",
        "self._window = self.seconds * 0.9",
        "unit/mews/test_mews_limiter.py",
    ),
    _guard(
        "a pause after 429 can be shortened",
        "mews/limiter.py",
        "self._paused_until = max(self._paused_until, self._clock.monotonic() + min(seconds, LONGEST_PAUSE))",
        "self._paused_until = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)",
        "unit/mews/test_mews_limiter.py",
    ),
    _guard(
        "408 counts as a refusal",
        "mews/answers.py",
        "    {400, 402, 403,",
        "    {400, 402, 403, 408,",
        "unit/mews/test_mews_answers.py",
    ),
    # Undo
    _guard(
        "one cancelled item settles a cancellation",
        "load/reverser.py",
        "if not (is_cancel(part) and rows and all(row.is_canceled for row in rows)):",
        "if not (is_cancel(part) and rows and any(row.is_canceled for row in rows)):",
        "undo",
        "all_of_its_items",
    ),
    _guard(
        "an opposite joins a cancellation in doubt",
        "load/reverser.py",
        'raise LaterError("Mews gave no answer to its cancellation")',
        "return False",
        "undo",
        "never_joined or never_arrived",
    ),
    _guard(
        "the opposite follows a refused cancellation at once",
        "load/reverser.py",
        "        wait = self._session.facts.settle.total_seconds() / 2 + 1\n",
        "        wait = 0.0\n",
        "undo",
        "lagging_reads",
    ),
    _guard(
        "an order goes while its return stands",
        "load/reverser.py",
        "        if standing:\n            raise CantReverseError(",
        "        if False:\n            raise CantReverseError(",
        "undo",
        "a_return",
    ),
    _guard(
        "items on a closed bill are reversed",
        "load/reverser.py",
        "        shut = closed(rows)\n        if shut:\n            raise CantReverseError("
        'f"{len(shut)} of its items are on a closed bill: only the hotel can correct that")\n\n    def _opposite',
        "\n    def _opposite",
        "undo",
        "closed_bill",
    ),
    _guard(
        "a tax a piece of a line of price zero is charged again",
        "load/reversal.py",
        "    if flat:\n",
        "    if flat and unit:\n",
        "reversal",
        "tax_a_piece",
    ),
    _guard(
        "refused cancellations count towards the twenty",
        "load/reverser.py",
        "_OF_A_CANCELLATION = frozenset({Kind.REFUSED, Kind.CONFLICT, Kind.STOP})",
        "_OF_A_CANCELLATION = frozenset({Kind.STOP})",
        "undo",
        "after_one_that_worked",
    ),
    _guard(
        "a payment is paid back twice",
        "load/reverser.py",
        "if row.is_canceled or self._is_paid_back(work, row.id):",
        "if row.is_canceled:",
        "undo",
        "one_sign",
    ),
    _guard(
        "a copy of a payment is known by its identifier alone",
        "load/reverser.py",
        "marked = payment_part(row)\n",
        "marked = payment_part(row) if row.external_identifier else None\n",
        "undo",
        "copies_of_a_payment",
    ),
    _guard(
        "copies of a payment count as copies of its order",
        "load/undo_choice.py",
        "if _holds_order(items.get(one, ()))",
        "if True",
        "undo",
        "copies_of_a_payment",
    ),
    _guard(
        "what was undone stays so, whatever stands in Mews",
        "load/reversals.py",
        "if payments or any(one not in mine for one in self._seen.standing):",
        "if False:",
        "undo",
        "came_to_light",
    ),
    _guard(
        "what was just cancelled is taken up again",
        "load/reversals.py",
        "if payments or any(one not in mine for one in self._seen.standing):",
        "if payments or self._seen.standing:",
        "undo",
        "only_seems",
    ),
    _guard(
        "what was sent to reverse and is in doubt is planned anew",
        "ledger/undo_steps.py",
        "elif row.state not in PLANNED:",
        "elif False:",
        "ledger",
        "never_planned",
    ),
    # Bills of an outlet
    _guard(
        "many bills leave with the intent of the first on disk",
        "load/bills.py",
        "self.seqs = steps.intend_all([replace(intent, sent_at=sent_at) for intent in self.intents])",
        "self.seqs = steps.intend_all([replace(intent, sent_at=sent_at) for intent in self.intents[:1]])",
        "bills",
        "disk_says",
    ),
    _guard(
        "an answer with other ids than bills settles all",
        "load/bills.py",
        "            if ids == count:\n",
        "            if True:\n",
        "bills",
        "ids_that_do_not_fit",
    ),
    _guard(
        "a refusal of several bills is one of each",
        "load/bills.py",
        "kind=Kind.SPLIT if is_whole else Kind.UNKNOWN, message=message",
        "kind=Kind.REFUSED, message=message",
        "bills",
        "one_bad_bill",
    ),
    _guard(
        "a refusal of several bills is taken for whole before that is proved",
        "load/refusals.py",
        "return Keep.NOTHING if ledger.meta(WHOLE) else None",
        "return Keep.NOTHING",
        "bills",
        "one_bad_bill",
    ),
    _guard(
        "a refusal that left nothing proves that refusals are whole, whatever it began with",
        "load/refusals.py",
        'steps.meta(NOTHING_FOUND, ledger.meta(FIRST) or "")',
        'steps.meta(WHOLE, ledger.meta(FIRST) or "")',
        "bills",
        "at_the_head",
    ),
    _guard(
        "what is too large is in doubt",
        "load/bills.py",
        "is_whole = outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or self._keeps_nothing()",
        "is_whole = self._keeps_nothing()",
        "bills",
        "too_large",
    ),
    _guard(
        "a bill is posted only once its id is read",
        "ledger/records.py",
        'return (self.mews_order_id != "" or self.state is State.POSTED) and self.state is not State.UNDONE',
        'return self.mews_order_id != "" and self.state is not State.UNDONE',
        "bills",
        "without_an_id",
    ),
    _guard(
        "recover does not read back which bill is whose",
        "load/recovery.py",
        "        _adopt_ids(ledger, _ids_of(one for one in batch if one[:2] in missing))\n",
        "",
        "bills_back",
        "reads_ids",
    ),
    _guard(
        "an unmarked bill is an order's though another is like it",
        "load/unmarked.py",
        "if len(bills) == 1 and claims[bills[0]] == 1}",
        "if bills}",
        "bills_back",
        "only_where_one",
    ),
    _guard(
        "an unmarked bill that is a planned order is passed over",
        "load/survey.py",
        "        look.signs.never_sent.update(dict.fromkeys(look.unmarked.unsent()))\n",
        "",
        "bills_back",
        "what_was_planned",
    ),
    _guard(
        "any bill of a number and second is the planned order",
        "load/unmarked.py",
        "if _is_planned(orders[number], rows := list(met.values()))}",
        "if (rows := list(met.values()))}",
        "bills_back",
        "what_was_planned",
    ),
    _guard(
        "of several bills that may be the order the first is",
        "load/recovery.py",
        "        if others:\n",
        "        if False:\n",
        "bills_back",
        "what_was_planned",
    ),
    _guard(
        "a bill whose opposite stands is reversed once more",
        "load/bill_reverser.py",
        "            if self._opposite(work, order_id) is None:\n",
        "            if True:\n",
        "bills_undone",
        "costs_nothing or settled_each",
    ),
    _guard(
        "bills refused together count towards giving up",
        "load/survey.py",
        "counts=not was_refused)",
        "counts=True)",
        "bills",
        "one_bad_bill",
    ),
    _guard(
        "a bill's last change proves absence",
        "load/survey.py",
        "async for page in bills.closed_at(moments):",
        "async for page in bills.closed_at(()):",
        "bills",
        "moves_past",
    ),
    _guard(
        "an old bill travels with others",
        "load/bill_poster.py",
        "return 1 if self._kinds.is_test(job) else self._carrier.limit_of(job)",
        "return self._carrier.limit_of(job)",
        "bills",
        "kind_is_tried",
    ),
    _guard(
        "an opposite in doubt is followed by another",
        "load/bill_reverser.py",
        "        await self._look_at_doubtful(work, items)\n",
        "",
        "bills_undone",
        "settled_each",
    ),
    # A person's word
    _guard(
        "settle --absent takes a person's word against Mews's",
        "load/settling.py",
        "            if one is not None and (one.store, one.number, one.generation, one.is_undo) == mine:",
        "            if False:",
        "recovery",
        "settle_absent",
    ),
    _guard(
        "settle --absent does not wait",
        "load/settling.py",
        "if since is None or now < since + settle_time:",
        "if since is None:",
        "recovery",
        "settle_absent",
    ),
    _guard(
        "recover reads only once",
        "load/recovery.py",
        "    await walks.read_items(started - settle - MARGIN, second)\n",
        "",
        "recovery",
        "on_its_way",
    ),
    # Evidence: what is as it was sent
    _guard(
        "an unmarked item met on two walks counts twice",
        "evidence/scan.py",
        "if all(one.id != row.id for one in rows):",
        "if True:",
        "bills_back",
        "two_walks",
    ),
    _guard(
        "another number of pieces is the order as sent",
        "evidence/match.py",
        "if len(counts) == len(pair.entries) and sum(counts) != seen:",
        "if False:",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "another amount is the order as sent",
        "evidence/match.py",
        "    if seen != total:\n",
        "    if False:\n",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "another currency is the order as sent",
        "evidence/match.py",
        "    if currency != expected.currency:\n",
        "    if False:\n",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "an item that nobody sent is none",
        "evidence/match.py",
        "        found.extra.append(row)\n",
        "        found.differences.pop()\n",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "an item that is missing is none",
        "evidence/match.py",
        "    found.differences.append(Difference(What.MISSING_ITEM, words, NOT_IN_MEWS, entry.identifier or entry.name))\n",
        "",
        "one_judgement",
        "one_sighting",
    ),
    _guard(
        "another amount of a payment is the payment as sent",
        "evidence/match.py",
        "amounts_differ = expected.amount is not None and abs(seen) != abs(expected.amount)",
        "amounts_differ = False",
        "one_judgement",
        "payment",
    ),
    # Several workers on a server
    _guard(
        "a lease that ran out still writes",
        "ledger/leases.py",
        '    if not connection.scalar(_CURRENT, {"token": token}):',
        "    if False:",
        "server_ledger",
        "orders_are_in_one_hand",
    ),
    _guard(
        "a lease that is over is renewed",
        "ledger/leases.py",
        '.where(_TABLE.c.token == bindparam("renewed"), _TABLE.c.lease_ends > _NOW)',
        '.where(_TABLE.c.token == bindparam("renewed"))',
        "server_ledger",
        "not_renewed",
    ),
    _guard(
        "a living worker is buried",
        "ledger/leases.py",
        "    if row.lease_ends <= row.now or (take_over and row.host == take_over):\n        return True\n    return bool(row.host == me.host and not alive(Held.of(row).holder))",
        "    return True",
        "server_ledger",
        "orders_are_in_one_hand",
    ),
    _guard(
        "alone means beside others",
        "ledger/leases.py",
        "        if not (is_shared and row.is_shared):",
        "        if False:",
        "server_ledger",
        "alone",
    ),
    # What goes, and where
    _guard(
        "what is in doubt when a run begins is not looked at",
        "load/poster.py",
        "if self._ledger.to_recheck() or self._ledger.unsettled():",
        "if False:",
        "poster",
        "what_was_proved_absent_and_sent_again_is_looked_up_twice_more",
    ),
    _guard(
        "what a look passed over is absent",
        "load/survey.py",
        "if part.number in look.passed_over:",
        "if False:",
        "survey",
        "taken_in_hand",
    ),
    _guard(
        "a bill whose kind another run tries is dropped",
        "load/bill_sender.py",
        "except KindBusyError:",
        "except ZeroDivisionError:",
        "bills",
        "another_run",
    ),
    _guard(
        "what refusals keep is judged by whoever looks",
        "load/refusals.py",
        "if ledger.elsewhere({number for number, _, _ in pending}):",
        "if False:",
        "bills",
        "in_hand",
    ),
    _guard(
        "bills of other outlets are taken for orders of services",
        "ledger/other_route_rows.py",
        "    if is_same:\n        met = ",
        "    if False:\n        met = ",
        "other_route",
        "another_outlet",
    ),
    _guard(
        "orders of the other route are not looked for in the ledger",
        "load/other_route.py",
        "    if standing:\n",
        "    if False:\n",
        "other_route",
        "stop",
    ),
    _guard(
        "what closed when the orders were consumed is not read",
        "load/other_route.py",
        "if other.closed is not None:",
        "if False:",
        "other_route",
        "closed_when",
    ),
    _guard(
        "what was reversed on the other route still counts",
        "ledger/other_route_rows.py",
        ".where(~met.c.is_undo, ~is_reversed, is_ours)",
        ".where(~met.c.is_undo, is_ours)",
        "other_route",
        "reversed_there",
    ),
    _guard(
        "a ledger of another property is used",
        "ledger/home.py",
        "if getattr(stored, name) != getattr(home, name):",
        "if False:",
        "recovery",
        "home",
    ),
    _guard(
        "what was undone goes again unasked",
        "load/jobs.py",
        "if state is State.UNDONE and self.repost:",
        "if state is State.UNDONE:",
        "poster",
        "undone",
    ),
    _guard(
        "what was refused goes again unchanged",
        "load/jobs.py",
        "if same and not (self.retry and mine is not None and mine.run_id != self.run_id):",
        "if False:",
        "poster",
        "refused_orders",
    ),
    _guard(
        "a commit is not on the disk when it returns",
        "ledger/file.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
        "ledger",
        "durable",
    ),
    _guard(
        "a return's bill goes before its order",
        "load/bill_poster.py",
        "mine = [job for job in jobs if self._returns.may_go(job)]",
        "mine = list(jobs)",
        "bills",
        "does_not_travel",
    ),
    _guard(
        "a run goes on while its first order is in doubt",
        "load/poster.py",
        "            raise in_doubt(job.number)\n",
        "            return\n",
        "poster",
        "nothing_follows",
    ),
    _guard(
        "nothing but 429 is said of what answers otherwise too",
        "load/breaker.py",
        "                self._wait_since = None\n                self.faults += 1",
        "                self.faults += 1",
        "poster",
        "row_of_429",
    ),
    # What is reversed
    _guard(
        "an undo does not look again before the opposite",
        "load/reverser.py",
        "        rows = self._standing(work, (await self._back.items([order_id])).get(order_id, []))\n        if is_gone(rows):\n            return\n",
        "        rows = self._standing(work, self._seen[order_id])\n        if is_gone(rows):\n            return\n",
        "undo",
        "staff",
    ),
    _guard(
        "an order with a part in doubt is reversed",
        "load/reverser.py",
        "if part.kind is not PartKind.UNDO and part.state in (State.UNKNOWN, State.IN_FLIGHT):",
        "if False:",
        "undo",
        "part_in_doubt",
    ),
    _guard(
        "what was undone is reversed again",
        "load/undo_choice.py",
        "            if order.state is State.UNDONE:\n                chosen.already",
        "            if False:\n                chosen.already",
        "undo",
        "second_undo",
    ),
    _guard(
        "a reversed copy is reversed again",
        "load/undo_choice.py",
        "already = [one for one in ids if one not in counted and (one in gone or _is_off(read.get(one, ())))]",
        "already = []",
        "bills_undone",
        "reversed_copy",
    ),
    _guard(
        "an undo goes on with a ledger that lacks orders",
        "load/undo.py",
        "            if error.lacks_orders:\n                raise\n",
        "",
        "undo",
        "knows_less",
    ),
    _guard(
        "another store's order is reversed",
        "load/undo_choice.py",
        "            if identity.store != self._store:\n",
        "            if False:\n",
        "undo",
        "of_others",
    ),
    _guard(
        "a payment is paid back with another amount than Mews has",
        "load/reversal.py",
        "if original and abs(amount) != abs(seen):",
        "if False:",
        "undo",
        "another_amount_by_now",
    ),
    _guard(
        "another service's order is reversed",
        "load/undo_choice.py",
        "if any(row.service_id != self._service_id for row in rows):",
        "if False:",
        "undo",
        "id_of_another_service",
    ),
    # A person's word, checked
    _guard(
        "settle --posted takes what is not what was sent",
        "load/settling.py",
        "if not is_equal and part.state is not State.DIFFERENT:",
        "if False:",
        "recovery",
        "says_what_speaks",
    ),
    _guard(
        "settle --posted takes another order's OrderId",
        "load/settling.py",
        'if taken not in ("", part.number):',
        "if False:",
        "recovery",
        "says_what_speaks",
    ),
    _guard(
        "settle --posted takes what carries another mark",
        "load/settling.py",
        "if identity is not None and (identity.store, identity.number) != (store, part.number):",
        "if False:",
        "recovery",
        "says_what_speaks",
    ),
    _guard(
        "settle --posted takes an OrderId of another service",
        "load/settling.py",
        "if any(row.service_id != service_id for row in rows):",
        "if False:",
        "recovery",
        "says_what_speaks",
    ),
    _guard(
        "settle --posted takes an OrderId that Mews does not have",
        "load/settling.py",
        '    if not rows:\n        raise _contradicted(f"Mews has no items of OrderId',
        '    if False:\n        raise _contradicted(f"Mews has no items of OrderId',
        "recovery",
        "says_what_speaks",
    ),
    _guard(
        "settle takes a payment for absent that Mews has",
        "load/settling.py",
        "if is_ours and not payment_id:",
        "if False:",
        "recovery",
        "against_a_payment",
    ),
    _guard(
        "settle takes another payment",
        "load/settling.py",
        "if chosen is not None and all(payment_differs(one, chosen) for one in attempts):",
        "if False:",
        "recovery",
        "against_a_payment",
    ),
    _guard(
        "a payment may be settled while it is on its way",
        "load/settling.py",
        "if part.first_sent_at is None or part.settle_from is None or now < part.settle_from + settle_time:",
        "if part.first_sent_at is None:",
        "recovery",
        "against_a_payment",
    ),
    # Looks, and recover
    _guard(
        "the watermark moves past what somebody had in hand",
        "load/survey.py",
        "since = min(filter(None, (until, look.passed_over_since)))",
        "since = until",
        "survey",
        "what_a_worker_had_in_hand_is_looked_at_again",
    ),
    _guard(
        "an opposite that leaves something of its order counts",
        "load/survey.py",
        "is_balanced = not order or any(balances(order, undo) for undo in undos.values())",
        "is_balanced = True",
        "one_judgement",
        "undo_entry",
    ),
    _guard(
        "unmarked payments prove nothing",
        "load/survey.py",
        'if likely:\n                return dumps(\n                    {\n                        "sent": attempt.payload,\n                        "sent_at": stamp(attempt.sent_at),\n                        "mews": {row.id',
        'if False:\n                return dumps(\n                    {\n                        "sent": attempt.payload,\n                        "sent_at": stamp(attempt.sent_at),\n                        "mews": {row.id',
        "recovery",
        "without_any_mark",
    ),
    _guard(
        "a copy that stands beside the posted order is none",
        "load/sighter.py",
        "look.beside(part, (one for one in order_ids if one not in known and _charges(page, one)))",
        "pass",
        "survey",
        "two_ids",
    ),
    _guard(
        "a second opposite is none",
        "load/sighter.py",
        "        look.beside(fitting[0], [mews_id])\n",
        "        pass\n",
        "undo",
        "two_copies_that_undo",
    ),
    _guard(
        "a payment in doubt proves no presence",
        "load/sighter.py",
        "            look.payments.setdefault(key, {}).update((row.id, row) for row in rows)\n",
        "            pass\n",
        "poster",
        "payment",
    ),
    _guard(
        "what Mews commits while recover reads is missed",
        "load/recovery.py",
        "    await sleep(settle.total_seconds())\n",
        "",
        "recovery",
        "on_its_way",
    ),
    _guard(
        "recover knows nothing of payments",
        "load/recovery.py",
        "        payments = await read_payments(reader, store, result.since - MARGIN, second)\n",
        "        payments = {}\n",
        "recovery",
        "rebuilt",
    ),
    _guard(
        "what this run sent after a page had shown it is no copy",
        "load/survey.py",
        "            self._sighter.see_sent_meanwhile(look)\n",
        "",
        "survey",
        "met_before",
    ),
    # Customers, again
    _guard(
        "the customer's existing profile is overwritten",
        "load/customers.py",
        '"OverwriteExisting": False',
        '"OverwriteExisting": True',
        "customers",
        "one_customer",
    ),
    _guard(
        "a customer in doubt is made again",
        "load/customers.py",
        "        if row is not None and row.state is CustomerState.UNKNOWN:\n            return Answer()\n",
        "",
        "customers",
        "in_doubt",
    ),
    _guard(
        "two customers of one address: the first is charged",
        "load/customers.py",
        "    if len(profiles) > 1:\n",
        "    if False:\n",
        "customers",
        "not_be_charged",
    ),
    _guard(
        "a customer's first look comes before the settling time",
        "load/customers.py",
        "if row.settle_from is None or started < row.settle_from + self._settle:",
        "if row.settle_from is None:",
        "customers",
        "two_looks or in_doubt",
    ),
    _guard(
        "an OrderId with another order's mark is reversed",
        "load/reverser.py",
        "            if identity is not None and (identity.store, identity.number) != (self._session.facts.store, work.number):\n                raise CantReverseError(",
        "            if False:\n                raise CantReverseError(",
        "undo",
        "mark_of_another",
    ),
    _guard(
        "what the staff changed is reversed as it was sent",
        "load/reversal.py",
        "    if count < 1 or unit * count != total:\n",
        "    if False:\n",
        "undo",
        "staff_changed",
    ),
    _guard(
        "two orders of a person make him twice",
        "load/customers.py",
        "        async with lock:\n            return await",
        "        if lock:\n            return await",
        "customers",
        "same_moment",
    ),
    _guard(
        "a copy of a payment is none",
        "load/sighter.py",
        "look.beside(part, (row.id for row in rows if row.id != part.mews_id and not row.is_canceled))",
        "pass",
        "poster",
        "two_copies_of_a_ledger",
    ),
    _guard(
        "a payment that the ledger never sent is passed over",
        "load/sighter.py",
        "            look.signs.never_sent[key[0]] = None\n        elif part.state in IN_MEWS:\n            look.beside(part, (row",
        "            return\n        elif part.state in IN_MEWS:\n            look.beside(part, (row",
        "fault/test_fault_regressions.py",
        "does_not_pay_twice",
    ),
    _guard(
        "what was confirmed as cancelled stands as long as reads lag",
        "load/reverser.py",
        "        gone = _cancelled_ids(work, confirmed)\n",
        "        gone = _cancelled_ids(work, confirmed[:0])\n",
        "undo_guards",
        "reads_lag",
    ),
    _guard(
        "an order that reads do not show yet is not in Mews",
        "load/reverser.py",
        "if recent and len(rows) < lines:",
        "if False:",
        "undo_guards",
        "do_not_show",
    ),
    _guard(
        "an order is reversed while something may be its reversal",
        "load/reverser.py",
        "if part.kind is PartKind.UNDO and part.held:",
        "if False:",
        "undo_guards",
        "may_be_its",
    ),
    _guard(
        "an order whose reversal is another is reversed again",
        "load/reverser.py",
        "if part.kind is PartKind.UNDO and part.state is State.DIFFERENT:",
        "if False:",
        "undo_guards",
        "not_as_it_was",
    ),
    _guard(
        "a payment on a closed bill is paid back",
        "load/reverser.py",
        'if row.closed is not None or row.accounting_state == "Closed":',
        "if False:",
        "undo_guards",
        "closed_bill",
    ),
    _guard(
        "the original of a refused correction is sent",
        "load/jobs.py",
        "if held_back(row, order).verdict is not Verdict.READY or (row.has_posted and is_original(row, order)):",
        "if row.has_posted and is_original(row, order):",
        "corrected_orders",
        "original",
    ),
    _guard(
        "a payment goes as the original has it",
        "load/jobs.py",
        "if held_back(row, order).verdict is not Verdict.READY or (row.has_posted and is_original(row, order)):",
        "if held_back(row, order).verdict is not Verdict.READY:",
        "corrected_orders",
        "no_payment",
    ),
    _guard(
        "settle --absent believes the time of a bill's last change",
        "load/settling.py",
        "    if bills is not None:\n",
        "    if False:\n",
        "bills_back",
        "settled_as_absent",
    ),
    _guard(
        "what the staff cancelled of a known order is passed over by recover",
        "load/recovery.py",
        "        if not was_in_doubt:\n            self._cancelled(orders)\n",
        "",
        "recovery",
        "staff_cancelled",
    ),
    _guard(
        "each of several workers tries a kind by itself",
        "ledger/send_steps.py",
        "        if self.is_shared and intent.needs:\n",
        "        if False:\n",
        "server_ledger",
        "kind_is_tried",
    ),
    _guard(
        "a kind that Mews refused to another worker is tried on",
        "ledger/send_steps.py",
        "if is_tried or any(self.kinds.is_held(kind) for kind in unproved):",
        "if is_tried:",
        "server_ledger",
        "refused_to_others",
    ),
)


def _copied(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def _verdict(guard: Guard, folder: Path) -> str:
    """Noticed by what, or why that is not known. Effects: the copy's file is as before afterwards."""
    path = folder / guard.file
    whole = path.read_text("utf-8")
    if whole.count(guard.old) != 1:
        return f"NO LONGER APPLIES: stands {whole.count(guard.old)} times in {guard.file}"
    path.write_text(whole.replace(guard.old, guard.new), "utf-8")
    try:
        return _tried(guard, folder)
    finally:
        path.write_text(whole, "utf-8")


def _tried(guard: Guard, folder: Path) -> str:
    file, only = guard.tests
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", file]
    # Bytecode by time stamp could outlive a patch that is undone within the second.
    more = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, *(["-k", only] if only else [])],
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    failed = [line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    if done.returncode == FAILED and failed:
        return failed[0].removeprefix("FAILED ")
    if done.returncode == 0:
        return f"NOT NOTICED by {file} {only}".rstrip()
    return f"NO PROOF: pytest ends with {done.returncode}: {done.stdout.strip().splitlines()[-1:]}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 if every guard chosen is noticed."""
    parser = argparse.ArgumentParser(description="Guards broken on purpose, one at a time.")
    parser.add_argument("--only", default="", help="guards with this word in name or file")
    options = parser.parse_args(argv)
    chosen = [guard for guard in GUARDS if options.only in guard.name or options.only in guard.file]
    bad = 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="guards-") as name:
        folder = Path(name)
        _copied(folder)
        for guard in chosen:
            verdict = _verdict(guard, folder)
            is_bad = verdict.startswith("NO")
            bad += is_bad
            _say(f"{'!!' if is_bad else 'ok'} {guard.file}: {guard.name}: {verdict}")
    _say(f"{len(chosen)} guards broken in {time.perf_counter() - began:.0f} s, {bad} not noticed")
    return int(bad > 0 or not chosen)


if __name__ == "__main__":
    sys.exit(main())
