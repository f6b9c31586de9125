"""
A world to come, drawn from a seed, as data: who declares what, who runs when, and what goes wrong.

Nothing here knows `provisioner`.  A scenario without some of its steps or faults is a scenario, so
that one which breaks a rule can be made smaller.

Faults are dealt like cards: each seed gets the next few *cells* of one deck, a cell being a kind of
fault and the phase of a run that it falls into.  So over many seeds each cell comes up as often as
any other.  A fault that is dealt waits for the first run that reaches its phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum, auto
from random import Random
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tests.simulate.fate import Verb, WorldCall

MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR

_FAULTS_A_SEED = 10
_LINES = 110
"""Of a content: enough for the smallest cache that the provider makes."""


class Phase(StrEnum):
    """What a run is doing, as its calls show."""

    BETWEEN = auto()
    """Nothing: no run is under way."""
    LOCK = auto()
    READ = auto()
    LOOK = auto()
    MAKE = auto()
    REFRESH = auto()
    SAVE = auto()
    PUBLISH = auto()
    RETIRE = auto()


_PHASES = {
    Verb.LIST: Phase.LOOK,
    Verb.GET: Phase.LOOK,
    Verb.COUNT: Phase.LOOK,
    Verb.CREATE: Phase.MAKE,
    Verb.PATCH: Phase.REFRESH,
    Verb.DELETE: Phase.RETIRE,
    Verb.LOCK: Phase.LOCK,
    Verb.UNLOCK: Phase.LOCK,
    Verb.READ: Phase.READ,
    Verb.WRITE: Phase.SAVE,
    Verb.REMOVE: Phase.SAVE,
}


def phase_of(call: WorldCall) -> Phase:
    """The phase of its run that a call belongs to."""
    if call.target.endswith(".lock.json"):
        return Phase.LOCK
    if call.verb is Verb.WRITE and "handles" in call.target:
        return Phase.PUBLISH
    return _PHASES[call.verb]


class Kind(StrEnum):
    """What goes wrong with a call."""

    KILL_BEFORE = auto()
    KILL_AFTER = auto()
    DROPPED = auto()
    LOST = auto()
    LATE = auto()
    DOUBLED = auto()
    SUSPEND_BEFORE = auto()
    SUSPEND_AFTER = auto()
    SIGNAL = auto()
    UNAVAILABLE = auto()
    QUOTA_REFUSAL = auto()
    """429 of the provider."""

    # What goes wrong with the world, pulled like a lever.
    FOREIGN_DELETE = auto()
    FOREIGN_CREATE = auto()
    LIST_LAGS = auto()
    LIST_LIES = auto()
    OTHER_MODEL = auto()
    QUOTA = auto()
    CLAMPED_LIFE = auto()
    WRONG_DATE = auto()
    CLOCK_JUMP = auto()
    LOCK_ENDED = auto()
    STATE_LOST = auto()
    STATE_ROLLED_BACK = auto()
    STATE_TORN = auto()
    PROVIDER_OUTAGE = auto()
    STORE_OUTAGE = auto()


LEVERS = tuple(Kind)[tuple(Kind).index(Kind.FOREIGN_DELETE) :]
_OF_CALLS = tuple(Kind)[: len(Kind) - len(LEVERS)]
_OF_PROVIDERS = frozenset({Phase.LOOK, Phase.MAKE, Phase.REFRESH, Phase.RETIRE})
_LEVER_PHASES = (Phase.BETWEEN, Phase.LOOK, Phase.MAKE, Phase.SAVE)
_HARMLESS = frozenset(
    {(Kind.DOUBLED, Phase.READ), (Kind.DOUBLED, Phase.LOOK), (Kind.LOCK_ENDED, Phase.BETWEEN)}
)
"""What shows nothing: to read twice, or to end the lock that no run has."""

CELLS = tuple(
    (kind, phase)
    for kind in Kind
    for phase in Phase
    if (phase in _LEVER_PHASES if kind in LEVERS else phase is not Phase.BETWEEN)
    and (kind is not Kind.QUOTA_REFUSAL or phase in _OF_PROVIDERS)
    and (kind, phase) not in _HARMLESS
)


_OFTEN = {Phase.RETIRE: 5, Phase.REFRESH: 3, Phase.PUBLISH: 2, Phase.LOOK: 2, Phase.MAKE: 2}
"""How often a cell is in the deck, where few runs reach its phase."""
_DECK = tuple(cell for cell in CELLS for _ in range(_OFTEN.get(cell[1], 1)))


class Fault(Struct, frozen=True, kw_only=True):
    """Falls onto the *nth* call of its phase, in the first run that has one, from *run* on."""

    kind: Kind
    phase: Phase
    run: int
    nth: int = 1
    span: float = 0.0
    """Seconds, where the kind has a length."""
    share: float = 0.0
    """From 0 to 1: which of several things, or how much of them."""


class Entry(Struct, frozen=True, kw_only=True):
    """A declared cache."""

    origin: str
    """The name that it had first: what its texts are about."""
    text: int
    """Which of its texts."""
    ttl: float
    retire_after: float

    @property
    def content(self) -> str:
        return content_of(self.origin, self.text)


def content_of(origin: str, text: int) -> str:
    """The *text* of *origin*, as its file holds it."""
    return f"{origin}, text {text}.\n" + "What is asked of it, and answered, in full.\n" * _LINES


class Sheet(Struct, frozen=True, kw_only=True):
    """What a checkout declares."""

    entries: dict[str, Entry]
    moved: tuple[tuple[str, str], ...] = ()
    handles: str = "handles.json"
    """The file to publish to."""
    overlays: dict[str, dict[str, float]] = {}
    """By environment, the entries that live for other seconds there."""

    def entries_of(self, environment: str | None) -> dict[str, Entry]:
        """What the checkout declares for *environment*."""
        overlay = self.overlays.get(environment or "", {})
        return {
            name: replace(entry, ttl=overlay.get(name, entry.ttl))
            for name, entry in self.entries.items()
        }


class Edit(Struct, frozen=True, kw_only=True, tag="edit"):
    """A checkout declares something else from now on."""

    at: float
    checkout: str
    sheet: Sheet


class Operation(StrEnum):
    APPLY = auto()
    KEEPALIVE = auto()
    PLAN = auto()
    """Saves an approval of what it shows."""
    DRIFT = auto()
    DESTROY = auto()


class Approval(StrEnum):
    """How the edits of a run are approved."""

    NONE = auto()
    AUTO = auto()
    PLANNED = auto()
    """By the plan that was saved last for its stack."""
    YES = auto()
    """A person answers, after a while."""
    NO = auto()


class Run(Struct, frozen=True, kw_only=True, tag="run"):
    """A runner starts an operation on a checkout."""

    at: float
    number: int
    runner: str
    operation: Operation
    checkout: str
    environment: str | None = None
    approval: Approval = Approval.NONE
    replaces: tuple[str, ...] = ()
    prunes: bool = False
    is_scheduled: bool = False
    answers_after: float = 0.0
    clean: int = 0


Step: TypeAlias = Edit | Run


class Checkout(Struct, frozen=True, kw_only=True):
    """A folder with a manifest."""

    stack: str
    environments: tuple[str, ...] = ()
    state: str = "s3://state/bots"

    @property
    def address(self) -> str | None:
        """Of the state, where the command line gives it: no manifest may name a server."""
        return self.state if self.state.startswith("https:") else None

    def stack_of(self, environment: str | None) -> str:
        return f"{self.stack}.{environment}" if environment else self.stack


class Runner(Struct, frozen=True, kw_only=True):
    """A machine, and how its clock goes."""

    offset: float = 0.0
    drift: float = 0.0


class Scenario(Struct, frozen=True, kw_only=True):
    """Everything that is to come, but for chance, which is drawn from the same seed."""

    seed: int
    checkouts: dict[str, Checkout]
    runners: dict[str, Runner]
    is_etag: bool
    """Whether the store names a version by its content."""
    is_gitlab: bool
    """Whether the state server answers as GitLab's does."""
    steps: tuple[Step, ...]
    """In the order of time."""
    faults: tuple[Fault, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(step for step in self.steps if isinstance(step, Run))

    @property
    def end(self) -> float:
        return max((step.at for step in self.steps), default=0.0)


_RIVALS = 0.5
"""The share of seeds in which a run loses its lock to another one."""
_WRITES_OF_STATE = (1, 5, 6, 6, 6, 6, 7)
"""Which of the writes of a run that replaces a cache are likely to be of its state."""
_STANDSTILLS = (
    (Kind.SUSPEND_AFTER, Phase.LOOK),
    (Kind.SUSPEND_AFTER, Phase.MAKE),
    *((Kind.SUSPEND_BEFORE, Phase.SAVE),) * 3,
    *((Kind.SUSPEND_AFTER, Phase.SAVE),) * 3,
    (Kind.SUSPEND_BEFORE, Phase.PUBLISH),
    *((Kind.SUSPEND_AFTER, Phase.PUBLISH),) * 3,
)
"""Where a run stands still while another one takes its lease."""
_TERM = 60.0
"""Of a lease."""
_NAMES = ("faq", "manual", "policy", "terms", "prices", "tone")
_TTLS = (1 * HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR)
_RETIRE_AFTER = (0.0, 0.0, 10 * MINUTE, HOUR)
_OFFSETS = (0.0, 0.0, 20.0, -20.0, 3 * HOUR, -3 * HOUR, DAY)
_SPANS = (5.0, 45.0, 75.0, 200.0, 1.2 * HOUR)


def scenario_of(seed: int) -> Scenario:
    """The scenario of *seed*, the same on any machine."""
    return _Draw(seed).scenario()


def dealt(seed: int) -> tuple[tuple[Kind, Phase], ...]:
    """The cells of the deck that *seed* gets."""
    cells = []
    for position in range(seed * _FAULTS_A_SEED, (seed + 1) * _FAULTS_A_SEED):
        turn, place = divmod(position, len(_DECK))
        deck = list(_DECK)
        Random(f"deck {turn}").shuffle(deck)  # noqa: S311
        cells.append(deck[place])
    return tuple(cells)


class _Draw:
    """A scenario on its way."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(f"scenario {seed}")  # noqa: S311
        self.rivalry = Random(f"rivals {seed}")  # noqa: S311
        self.at = 0.0
        self.texts: dict[str, int] = {}
        self.steps: list[Step] = []
        self.sheets: dict[str, Sheet] = {}
        self.numbers = 0
        self.rival_faults: list[Fault] = []
        self.quiet = 0
        """The number of the last run that no fault of the deck falls into."""

    def scenario(self) -> Scenario:
        checkouts = self._checkouts()
        runners = {
            name: Runner(offset=self.random.choice(_OFFSETS), drift=self._drift())
            for name in ("ci", "cron", "laptop")[: self.random.choice((2, 2, 3))]
        }
        long_lived = self.random.random() < 0.3
        for name, checkout in checkouts.items():
            if name == "b" and checkout.stack == checkouts["a"].stack:
                self._edit(name, self.sheets["a"])
            else:
                self._edit(name, self._first_sheet(checkout, long_lived=long_lived))
        self._begin(checkouts, runners)
        if self.rivalry.random() < _RIVALS:
            self._compete(checkouts, runners)
        if long_lived:
            self._on_schedule(checkouts, runners)
        else:
            self._at_random(checkouts, runners)
        steps = tuple(sorted(self.steps, key=lambda step: step.at))
        return Scenario(
            seed=self.seed,
            checkouts=checkouts,
            runners=runners,
            is_etag=self.random.random() < 0.5,
            is_gitlab=self.random.random() < 0.5,
            steps=steps,
            faults=(*self.rival_faults, *self._faults()),
        )

    def _drift(self) -> float:
        return self.random.choice((0.0, 0.0, 0.0, 1e-4, -1e-4))

    def _checkouts(self) -> dict[str, Checkout]:
        """One stack; one with environments; two stacks in a project; or two checkouts of one."""
        state = self.random.choice(
            ("s3://state/bots", "s3://state/bots", "https://states.test/bots")
        )
        first = Checkout(stack="bot", state=state)
        match self.random.choice(("one", "one", "environments", "two", "twice", "twice")):
            case "environments":
                return {"a": replace(first, environments=("dev", "prod"))}
            case "two":
                return {"a": first, "b": Checkout(stack="shop", state=state)}
            case "twice":
                return {"a": first, "b": first}
            case _:
                return {"a": first}

    def _first_sheet(self, checkout: Checkout, *, long_lived: bool) -> Sheet:
        names = self.random.sample(_NAMES, self.random.choice((2, 3, 3, 4, 5)))
        ttls = _TTLS[2:] if long_lived else _TTLS
        del checkout
        return Sheet(
            entries={
                name: Entry(
                    origin=name,
                    text=self._new_text(name),
                    ttl=self.random.choice(ttls),
                    retire_after=self.random.choice(_RETIRE_AFTER),
                )
                for name in sorted(names)
            }
        )

    def _new_text(self, origin: str) -> int:
        self.texts[origin] = self.texts.get(origin, 0) + 1
        return self.texts[origin]

    def _edit(self, checkout: str, sheet: Sheet) -> None:
        self.sheets[checkout] = sheet
        self.steps.append(Edit(at=self.at, checkout=checkout, sheet=sheet))

    def _run(self, operation: Operation, checkout: str, runner: str, **options: object) -> None:
        self.numbers += 1
        self.steps.append(
            Run(
                at=self.at,
                number=self.numbers,
                runner=runner,
                operation=operation,
                checkout=checkout,
                **options,  # type: ignore[arg-type]
            )
        )

    def _begin(self, checkouts: dict[str, Checkout], runners: dict[str, Runner]) -> None:
        for name, checkout in checkouts.items():
            for environment in checkout.environments or (None,):
                self.at += self.random.uniform(0, 2 * MINUTE)
                self._run(
                    Operation.APPLY,
                    name,
                    self.random.choice(list(runners)),
                    environment=environment,
                    approval=Approval.AUTO,
                )

    def _compete(self, checkouts: dict[str, Checkout], runners: dict[str, Runner]) -> None:
        """
        A run loses its lock to another one and goes on.

        The other one goes back to the text before, or has a third, and may be slow to make it.
        """
        random = self.rivalry
        name = random.choice(list(checkouts))
        environment = random.choice(checkouts[name].environments or (None,))
        entry = random.choice(sorted(self.sheets[name].entries))
        before = self.sheets[name]
        self.at += 5 * MINUTE
        first, second = random.sample(list(runners), 2)
        self._edit(name, self._with_new_text(before, entry))
        self._run(Operation.APPLY, name, first, environment=environment, approval=Approval.AUTO)
        gap = random.uniform(0.5, 3)
        self.rival_faults += self._losses(checkouts[name], gap)
        self.at += gap
        other = random.choice([other for other in checkouts if checkouts[other] == checkouts[name]])
        is_revert = random.random() < 0.6
        self._edit(other, before if is_revert else self._with_new_text(before, entry))
        self._run(Operation.APPLY, other, second, environment=environment, approval=Approval.AUTO)
        if not is_revert:
            fault = Fault(kind=Kind.LATE, phase=Phase.MAKE, run=self.numbers, share=1.0, span=5.0)
            self.rival_faults.append(fault)
        self.quiet = random.choice((0, self.numbers))
        self.at += 2 * MINUTE

    def _losses(self, checkout: Checkout, gap: float) -> Iterator[Fault]:
        """How the last run loses its lock to one that comes *gap* seconds later."""
        random, run = self.rivalry, self.numbers
        write = random.choice(_WRITES_OF_STATE)
        if checkout.address or random.random() < 0.3:  # a lock on a server does not run out
            yield Fault(kind=Kind.LOCK_ENDED, phase=Phase.SAVE, run=run, nth=write)
            span = random.uniform(11, 18)
            yield Fault(kind=Kind.LATE, phase=Phase.PUBLISH, run=run, share=1.0, span=span)
            return
        kind, phase = random.choice(_STANDSTILLS)
        nth = write if phase is Phase.SAVE else 1
        span = _TERM + gap + random.uniform(-1, 10)
        yield Fault(kind=kind, phase=phase, run=run, nth=nth, span=span)

    def _with_new_text(self, sheet: Sheet, name: str) -> Sheet:
        """*sheet* with a new text of *name*."""
        entry = sheet.entries[name]
        entries = {**sheet.entries, name: replace(entry, text=self._new_text(entry.origin))}
        return replace(sheet, entries=entries)

    def _on_schedule(self, checkouts: dict[str, Checkout], runners: dict[str, Runner]) -> None:
        """A schedule keeps everything warm for more than one life; a few edits in between."""
        stacks = [
            (name, environment)
            for name, checkout in checkouts.items()
            for environment in checkout.environments or (None,)
        ]
        shortest = min(
            entry.ttl for sheet in self.sheets.values() for entry in sheet.entries.values()
        )
        every = shortest / 3 * self.random.uniform(0.4, 0.7)
        start = self.at + every
        rounds = max(3, 8 // len(stacks))
        for turn in range(rounds):
            self.at = start + turn * every
            for name, environment in stacks:
                self.at += self.random.uniform(0, 20)
                self._run(
                    Operation.KEEPALIVE,
                    name,
                    "cron",
                    environment=environment,
                    is_scheduled=True,
                )
        for _ in range(2):
            self.at = start + self.random.uniform(0, rounds * every)
            self._change_and_apply(checkouts, runners)

    def _at_random(self, checkouts: dict[str, Checkout], runners: dict[str, Runner]) -> None:
        for _ in range(self.random.randint(4, 7)):
            self.at += self.random.choice(
                (0.0, self.random.uniform(0, 90), self.random.uniform(5, 40) * MINUTE)
                + (self.random.uniform(0.3, 3) * HOUR,) * 2
            )
            if self.random.random() < 0.55:
                self._change_and_apply(checkouts, runners)
            else:
                self._look_after(checkouts, runners)

    def _change_and_apply(self, checkouts: dict[str, Checkout], runners: dict[str, Runner]) -> None:
        name = self.random.choice(list(checkouts))
        environment = self._environment(checkouts[name])
        runner = self.random.choice(list(runners))
        if self.random.random() < 0.8:
            self._edit(name, self._edited(self.sheets[name], checkouts[name].environments))
        approval = self.random.choice(
            (Approval.AUTO,) * 4
            + (Approval.PLANNED,) * 2
            + (Approval.YES, Approval.YES, Approval.NO)
        )
        if approval is Approval.PLANNED:
            self._run(Operation.PLAN, name, runner, environment=environment)
            self.at += self.random.choice((30.0, 20 * MINUTE))
            if self.random.random() < 0.3:
                self._edit(name, self._edited(self.sheets[name], checkouts[name].environments))
        self.at += 1.0
        self._run(
            Operation.APPLY,
            name,
            runner,
            environment=environment,
            approval=approval,
            replaces=self._replaced(name) if approval is Approval.AUTO else (),
            prunes=approval is Approval.AUTO and self.random.random() < 0.1,
            answers_after=self.random.choice((3.0, 90.0, 2 * HOUR)),
        )

    def _look_after(self, checkouts: dict[str, Checkout], runners: dict[str, Runner]) -> None:
        name = self.random.choice(list(checkouts))
        operation = self.random.choice(
            (Operation.KEEPALIVE,) * 6 + (Operation.DRIFT, Operation.PLAN, Operation.DESTROY)
        )
        self._run(
            operation,
            name,
            self.random.choice(list(runners)),
            environment=self._environment(checkouts[name]),
            approval=Approval.AUTO if operation is Operation.DESTROY else Approval.NONE,
        )

    def _environment(self, checkout: Checkout) -> str | None:
        return self.random.choice(checkout.environments) if checkout.environments else None

    def _replaced(self, checkout: str) -> tuple[str, ...]:
        names = sorted(self.sheets[checkout].entries)
        return (self.random.choice(names),) if names and self.random.random() < 0.15 else ()

    def _edited(self, sheet: Sheet, environments: tuple[str, ...]) -> Sheet:
        if environments and sheet.entries and self.random.random() < 0.3:
            return self._overlaid(sheet, environments)
        edited = self._edited_for_all(sheet)
        overlays = {
            environment: {name: ttl for name, ttl in ttls.items() if name in edited.entries}
            for environment, ttls in edited.overlays.items()
        }
        return replace(edited, overlays=overlays)

    def _overlaid(self, sheet: Sheet, environments: tuple[str, ...]) -> Sheet:
        """One entry lives for another time in one environment."""
        environment = self.random.choice(environments)
        name = self.random.choice(sorted(sheet.entries))
        ttls = {**sheet.overlays.get(environment, {}), name: self.random.choice(_TTLS)}
        return replace(sheet, overlays={**sheet.overlays, environment: ttls})

    def _edited_for_all(self, sheet: Sheet) -> Sheet:
        entries = dict(sheet.entries)
        kind = self.random.choice(
            (
                "text",
                "text",
                "text",
                "text",
                "revert",
                "revert",
                "ttl",
                "add",
                "remove",
                "rename",
                "publish",
            )
        )
        name = self.random.choice(sorted(entries)) if entries else ""
        if not entries or kind == "add":
            fresh = [one for one in _NAMES if one not in entries]
            if fresh:
                added = self.random.choice(fresh)
                text = self._new_text(added)
                ttl = self.random.choice([entry.ttl for entry in entries.values()] or [HOUR])
                entries[added] = Entry(origin=added, text=text, ttl=ttl, retire_after=HOUR)
                kept = tuple(pair for pair in sheet.moved if pair[0] != added)
                return replace(sheet, entries=entries, moved=kept)
            return sheet
        entry = entries[name]
        match kind:
            case "text":
                entries[name] = replace(entry, text=self._new_text(entry.origin))
            case "revert":
                text = self.random.randint(1, self.texts[entry.origin])
                entries[name] = replace(entry, text=text)
            case "ttl":
                entries[name] = replace(entry, ttl=self.random.choice((entry.ttl, 2 * entry.ttl)))
            case "remove" if len(entries) > 1:
                del entries[name]
                kept = tuple(pair for pair in sheet.moved if pair[1] != name)
                return replace(sheet, entries=entries, moved=kept)
            case "rename":
                renamed = f"{entry.origin}-{self._new_text(entry.origin)}"
                entries[renamed] = entries.pop(name)
                moved = [(old, renamed if new == name else new) for old, new in sheet.moved]
                return replace(sheet, entries=entries, moved=(*moved, (name, renamed)))
            case "publish":
                other = {"handles.json": "other-handles.json"}.get(sheet.handles, "handles.json")
                return replace(sheet, handles=other)
            case _:
                pass
        return replace(sheet, entries=entries)

    def _faults(self) -> tuple[Fault, ...]:
        faults = []
        for kind, phase in dealt(self.seed):
            latest = max(1, self.numbers * 2 // 3)
            if phase in {Phase.MAKE, Phase.PUBLISH, Phase.SAVE}:
                latest = max(1, self.numbers // 2)
            run = 1 if phase is Phase.RETIRE else self.random.randint(1, latest)
            faults.append(
                Fault(
                    kind=kind,
                    phase=phase,
                    run=max(run, self.quiet + 1),
                    nth=self.random.choice(
                        (1, 1, 1, 1, 2) if phase is Phase.LOOK else (1, 1, 2, 3)
                    ),
                    span=self.random.choice(_SPANS),
                    share=self.random.random(),
                )
            )
        return tuple(faults)
