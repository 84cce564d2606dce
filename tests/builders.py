"""Builds the values that tests begin with: a pair of nodes in a named situation.

Owns nothing but values: no engine runs here, each situation is written down as the engine would
leave it. `pair().in_peer()`, `.primary_silent(for_s=9)`, `.primary_down()`, `.taking_over("xcatd")`
return a new `Pair`; `.state`, `.now` and `.terms` are what the code under test takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hamnd.core.health.assessment import Assessment
from hamnd.core.health.rule import DownRule
from hamnd.core.health.watch import FenceReading, Track, Watch, XcatdTrack
from hamnd.core.lasting import STANDBY as STANDBY_STATES
from hamnd.core.policy import Policy, Terms
from hamnd.core.progress import Run, Stage, StepRun
from hamnd.core.replication import PartnerDatabase, Promotion, Skew
from hamnd.core.state import Change, FinishedRun, Hold, NodeState
from hamnd.model.epoch import Epoch, EpochDoubt
from hamnd.model.health import Condition, FenceEvidence, Positions, Replication, WitnessSight
from hamnd.model.instant import Instant
from hamnd.model.names import (
    Answer,
    Cause,
    FenceGrade,
    LossVerdict,
    Mode,
    Outcome,
    PlanKind,
    Probe,
    RunStatus,
    State,
    Status,
    Verdict,
)
from hamnd.model.plan import GateResult, Loss, Override, Plan, PlanRequest, Step
from hamnd.model.rehearsal import Rehearsal, Rehearsed
from hamnd.model.site import (
    Db2Site,
    FenceSite,
    Node,
    Platform,
    ServiceAddress,
    Site,
    Witness,
)
from hamnd.model.work import Action, Exec, Fence

NOON = Instant(monotonic_s=50_000.0, wall_s=1_795_356_131.0)
"""Sunday 2026-11-22 14:02:11Z."""
NIGHT = Instant(monotonic_s=90_000.0, wall_s=1_795_317_129.0)
"""Sunday 2026-11-22 03:12:09Z."""

PRIMARY, STANDBY = "aixmn1", "aixmn2"
DIGEST = "7f3a-91c2"
STEP_IDS = ("fuse", "fence", "promote", "identity", "xcatd", "dns", "dhcp", "consoles", "verify")
LAST_SAMPLE = 1_795_316_755.0
"""03:05:55Z: the last reading in Peer of the night's story."""
DIED = 1_795_316_757.0
"""03:05:57Z."""


def site(**changes: object) -> Site:
    """The guide's own pair, with four service nodes and a power controller."""
    base = Site(
        cluster="xcat",
        node=STANDBY,
        platform=Platform.LINUX,
        primary=Node(PRIMARY, "9.114.47.103"),
        standby=Node(STANDBY, "9.114.47.104"),
        identity=(ServiceAddress("en1", "9.114.47.110", 26, "xcatmn", "9.114.47.126"),),
        gateway="9.114.47.126",
        db2=Db2Site("XCATDB", "xcatdb"),
        fence=FenceSite(agent="/usr/sbin/fence_ipmilan"),
        witnesses=tuple(Witness(f"sn{n:02d}", f"10.1.0.{20 + n}") for n in range(1, 5)),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def terms(**changes: object) -> Terms:
    """Site and policy as the sample configuration has them."""
    return Terms(site(**changes), Policy(witnesses_min=1))


def exec_action(host: str, *argv: str, user: str | None = None) -> Action:
    """An action that runs a program."""
    return Action(Exec(host, argv, user))


def steps() -> tuple[Step, ...]:
    """The steps of a takeover, in the shape of design §5 and with one action each."""

    def step(id_: str, title: str, guide: str, after: tuple[str, ...], action: Action) -> Step:
        return Step(
            id_,
            title,
            guide,
            STANDBY,
            depends_on=after,
            actions=(action,),
            reversible=id_ != "promote",
        )

    takeover = ["db2", "takeover", "hadr", "on", "db", "XCATDB", "by", "force"]
    return (
        step("fuse", "disarm 3 cron lines and 1 timer that write here", "§5.2", (),
             exec_action(STANDBY, "systemctl", "stop", "xcat-sync.timer")),
        step("fence", "read the power controller again", "§8.2", ("fuse",),
             Action(Fence(PRIMARY, "off"), "fence.off")),
        step("promote", "db2 takeover hadr on db XCATDB by force", "§8.1", ("fence",),
             exec_action(STANDBY, *takeover, user="xcatdb")),
        step("identity", "9.114.47.110/26 on en1, announced", "§8.3", ("promote",),
             exec_action(STANDBY, "ip", "address", "add", "9.114.47.110/26", "dev", "en1")),
        step("xcatd", "start; write a key, read it back", "§8.6", ("identity",),
             exec_action(STANDBY, "systemctl", "start", "xcatd")),
        step("dns", "makedns", "§8.7", ("xcatd",), exec_action(STANDBY, "makedns", "-n")),
        step("dhcp", "makedhcp", "§8.7", ("xcatd",), exec_action(STANDBY, "makedhcp", "-n")),
        step("consoles", "makeconservercf", "§8.7", ("xcatd",),
             exec_action(STANDBY, "makeconservercf")),
        step("verify", "from sn01", "§8.9", ("dns", "dhcp", "consoles"),
             exec_action("sn01", "lsdef", "-t", "site")),
    )  # fmt: skip


def gates() -> tuple[GateResult, ...]:
    """All gates of a takeover, passed."""
    return (
        GateResult("primary-down", Verdict.PASS, "host down, held for 6m12s"),
        GateResult("fence", Verdict.PASS, "power_off, read twice, 8 s old"),
        GateResult("loss", Verdict.PASS, "zero (proven)"),
        GateResult("readiness", Verdict.PASS, "9/9 steps proven"),
    )


ZERO_PROVEN = Loss(
    LossVerdict.ZERO_PROVEN,
    (
        "NEARSYNC, in Peer when the link broke at 03:05:57",
        "power off 03:05:57",
        "peer window end 03:07:55",
        "skew +0.2 s",
    ),
    peer_window_end=1_795_316_875,
)


def plan(now: Instant = NIGHT, **changes: object) -> Plan:
    """A takeover plan of the night's story, made 19 s ago."""
    base = Plan(
        request=PlanRequest(PlanKind.TAKEOVER),
        digest=DIGEST,
        variant="force-after-proof",
        steps=steps(),
        gates=gates(),
        loss=ZERO_PROVEN,
        cause=Cause.HOST,
        reach_class="host/no-ssh/no-database",
        created_at=now.wall_s - 19,
        expires_at=now.wall_s + 581,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked by replace


def overridden_plan(now: Instant = NIGHT) -> Plan:
    """A plan whose fence gate was overridden by name, for a loss that is not known."""
    gate = GateResult(
        "fence",
        Verdict.OVERRIDDEN,
        "unknown: the controller times out",
        reason="pulled both cables myself, rack 12",
    )
    request = PlanRequest(
        PlanKind.TAKEOVER,
        accept_loss=LossVerdict.UNKNOWN,
        overrides=(Override("fence", "pulled both cables myself, rack 12"),),
    )
    loss = Loss(
        LossVerdict.UNKNOWN, ("the standby was restarted since",), estimated_bytes=4_300_000
    )
    return plan(
        now, request=request, gates=(gate, *gates()[2:]), loss=loss, variant="accepted-force"
    )


def run(done: int, current: Outcome | None, now: Instant = NIGHT, started_s: float = 41.0) -> Run:
    """A run with `done` finished steps and the next one at `current` (None: nothing under way)."""
    sentences = {
        "fuse": "3 cron lines, 1 timer saved and disarmed",
        "fence": "power off, read 03:12:44 and 03:12:46",
        "promote": "role PRIMARY, writable",
        "identity": "answered by gateway and sn01",
        "xcatd": "started, waiting for the key to read back",
    }
    started = now.wall_s - started_s
    made: dict[str, StepRun] = {}
    clock = started
    for index, one in enumerate(steps()):
        made[one.id] = StepRun()
        if index < done:
            took = 0.4 + 1.3 * index
            made[one.id] = StepRun(
                Outcome.DONE, Stage.IDLE, 1, 1, clock, took, sentences.get(one.id, "done"), True
            )
            clock += took
        elif index == done and current is not None:
            took_s = None if current is Outcome.RUNNING else 5.2
            made[one.id] = StepRun(
                current, Stage.AFTER, 1, 1, clock, took_s, sentences.get(one.id, ""), True
            )
    return Run(plan(now), RunStatus.RUNNING, "root (login anna)", started, made)


@dataclass(frozen=True, slots=True)
class Pair:
    """A situation: what the engine believes, at which moment, on which terms."""

    state: NodeState = field(default_factory=NodeState)
    now: Instant = NOON
    terms: Terms = field(default_factory=terms)

    # ---- situations ------------------------------------------------------------------------
    def starting(self) -> Pair:
        """Hamnd began three seconds ago and nothing is proven."""
        state = NodeState(since=self.now.wall_s - 3, boot_id="boot-1")
        conditions = tuple(
            self._condition(type_, Status.UNKNOWN, "NotReadYet", "not observed yet", 3)
            for type_ in ("ReplicationPeer", "PrimaryReachable", "NotIsolated")
        )
        return self._with(state, assessment=Assessment(conditions=conditions))

    def in_peer(self) -> Pair:
        """All is well and a takeover would work."""
        watch = Watch(
            tracks={probe: self._answered() for probe in Probe if probe is not Probe.GATEWAY},
            xcatd=XcatdTrack(good=self.now.ago(1)),
            gateway=self._answered(),
            witnesses=self._sights(Answer.ANSWERED),
            replication=self._replication(),
            skew=Skew(0.2, 0.1, self.now.ago(30)),
            fence=(FenceReading(False, self.now.ago(22), "ipmi power on"),),
        )
        conditions = (
            self._condition("ReplicationPeer", Status.TRUE, "InPeer", "db2 in Peer, NEARSYNC", 2),
            self._condition("ReplicationGap", Status.TRUE, "GapSmall", "0 B behind", 2),
            self._condition("PrimaryReachable", Status.TRUE, "Answers", "aixmn1 answers", 1),
            self._condition("NotIsolated", Status.TRUE, "GatewayAnswers", "the gateway answers", 1),
            self._condition("FenceReady", Status.TRUE, "ControllerAnswers", "says on", 22),
            self._condition("DiskSpace", Status.TRUE, "Enough", "20480 MiB free", 22),
            *self.step_ready(),
        )
        loss = Loss(LossVerdict.ZERO_LIKELY, ("NEARSYNC, in Peer",))
        assessment = Assessment(
            conditions=conditions,
            loss=loss,
            is_protected=Status.TRUE,
            is_ready=Status.TRUE,
            rule=DownRule(blockers=("ping: answers", "ssh_banner: answers")),
        )
        since = self.now.wall_s - (23 * 86400 + 4 * 3600)
        state = NodeState(
            State.PEER,
            since,
            "every condition that Peer requires has been true for 10 s",
            watch=watch,
            epoch=Epoch(3, PRIMARY, "boot-0"),
        )
        return self._with(state, assessment=assessment)

    def not_ready(self) -> Pair:
        """In Peer, but two steps of a takeover would fail now."""
        peer = self.in_peer()
        message = 'the controller refuses "off" for user hamnd (needs operator) -> give the right'
        broken = (
            self._condition("StepReady/fence", Status.FALSE, "Refused", message, 20),
            self._condition(
                "StepReady/consoles",
                Status.UNKNOWN,
                "NotFound",
                "makeconservercf not found at /opt/xcat/sbin -> install xCAT's package",
                60,
            ),
        )
        kept = tuple(
            one
            for one in peer.state.assessment.conditions
            if one.type not in {condition.type for condition in broken}
        )
        return peer._assess(conditions=(*kept, *broken), is_ready=Status.FALSE)

    def degraded_gap(self) -> Pair:
        """Replication is behind its limit; the primary answers."""
        peer = self.in_peer()
        gap = self._condition(
            "ReplicationGap", Status.FALSE, "GapTooLarge", "4200000 B behind, limit 1048576 B", 2
        )
        others = tuple(
            one for one in peer.state.assessment.conditions if one.type != "ReplicationGap"
        )
        view = replace(self._replication(), gap_bytes=4_200_000)
        return replace(
            peer,
            state=replace(
                peer.state,
                state=State.DEGRADED,
                since=self.now.wall_s - 72,
                because="ReplicationGap failed",
                watch=replace(peer.state.watch, replication=view),
            ),
        )._assess(conditions=(gap, *others), is_protected=Status.FALSE)

    def primary_silent(self, for_s: float, sees: Answer = Answer.SILENT) -> Pair:
        """Degraded: nothing of the primary answers this node; the witnesses say `sees`."""
        peer = self.in_peer()
        began = self.now.ago(for_s)
        view = replace(
            self._replication(),
            state="disconnected_peer",
            connected=False,
            is_protecting=False,
            since=int(began.wall_s),
        )
        watch = replace(
            peer.state.watch,
            tracks={
                probe: Track(began.ago(1), None, began, self.now.ago(0.4))
                for probe in Probe
                if probe is not Probe.GATEWAY
            },
            xcatd=XcatdTrack(good=began.ago(1)),
            witnesses=self._sights(sees),
            replication=view,
            frozen_window_end=int(began.wall_s) + 118,
        )
        failed = (
            self._condition("ReplicationPeer", Status.FALSE, "LinkLost", "link lost", 2),
            self._condition("PrimaryReachable", Status.FALSE, "Silent", "aixmn1 is silent", 1),
        )
        rest = tuple(
            one
            for one in peer.state.assessment.conditions
            if one.type not in ("ReplicationPeer", "PrimaryReachable")
        )
        blocker = (
            "4 of 4 service nodes still reach it"
            if sees is Answer.ANSWERED
            else "0 of the 1 service nodes needed have answered since"
        )
        state = replace(
            peer.state,
            state=State.DEGRADED,
            since=began.wall_s,
            because="ReplicationPeer and PrimaryReachable failed",
            watch=watch,
            changes=(
                Change(began.wall_s + 1, State.PEER, State.DEGRADED, "T01", "a condition was lost"),
            ),
        )
        return replace(peer, state=state)._assess(
            conditions=(*failed, *rest),
            rule=DownRule(blockers=(blocker,)),
            is_protected=Status.FALSE,
            loss=Loss(LossVerdict.UNKNOWN, ("no proof of when it died",)),
        )

    def link_cut(self, for_s: float = 72) -> Pair:
        """Only the link between the two nodes is down."""
        return self.primary_silent(for_s, Answer.ANSWERED)

    def in_trouble(self) -> Pair:
        """A controller that lies, a clock that is wrong, and a job here that would write."""
        gap = self.degraded_gap()
        found = (
            self._condition("FenceLies", Status.TRUE, "Contradicted", "off, but ping answers", 2),
            self._condition("ClockSkew", Status.FALSE, "TooLarge", "skew +7.0 s", 20),
            self._condition("FuseClear", Status.FALSE, "Armed", "1 job writes here", 20),
        )
        types = {one.type for one in found}
        others = [one for one in gap.state.assessment.conditions if one.type not in types]
        return gap._assess(conditions=(*found, *others))

    def superseded(self) -> Pair:
        """It was rebooted as the management node, and a newer epoch names the other one."""
        state = replace(
            self.degraded_gap().state,
            boot_id="boot-2",
            epoch=Epoch(5, PRIMARY),
            doubt=EpochDoubt.SUPERSEDED,
        )
        return replace(self, state=state)

    def primary_down(self, cause: Cause = Cause.HOST) -> Pair:
        """The night's story: aixmn1 died at 03:05:57, its controller says off."""
        night = replace(self, now=NIGHT)
        silent = night.primary_silent(NIGHT.wall_s - DIED)
        watch = replace(
            silent.state.watch,
            frozen_window_end=1_795_316_875,
            fence=(
                FenceReading(True, NIGHT.ago(10), "ipmi says off"),
                FenceReading(True, NIGHT.ago(8), "ipmi says off"),
            ),
        )
        evidence = (
            FenceEvidence(
                FenceGrade.POWER_OFF,
                NIGHT.wall_s - 8,
                "fence",
                "ipmi says off, read twice",
                NIGHT.wall_s - 10,
            ),
        )
        basis = ("ping, ssh banner and xcatd request are silent", "the replication link is lost")
        changes = (
            Change(DIED + 1, State.PEER, State.DEGRADED, "T01", "a required condition was lost"),
            Change(DIED + 6, State.DEGRADED, State.PRIMARY_DOWN, "T03", "the rule held for 4 s"),
        )
        state = replace(
            silent.state,
            state=State.PRIMARY_DOWN,
            since=DIED + 6,
            because="the primary-down rule held for 4 s",
            cause=cause,
            silence_began=DIED,
            watch=watch,
            changes=changes,
        )
        down = replace(silent, state=state)._assess(
            rule=DownRule(cause, NIGHT.ago(NIGHT.wall_s - DIED), True, basis),
            evidence=evidence if cause is Cause.HOST else (),
            loss=ZERO_PROVEN if cause is Cause.HOST else Loss(LossVerdict.UNKNOWN, ("not dead",)),
            promotion=Promotion(
                "force-after-proof" if cause is Cause.HOST else "accepted-force",
                Verdict.PASS,
                "TAKEOVER BY FORCE",
            ),
            is_ready=Status.TRUE,
        )
        return down if cause is Cause.HOST else down._alive(cause)

    def planned(self) -> Pair:
        """PrimaryDown with a plan that was shown and waits."""
        down = self.primary_down()
        return replace(down, state=replace(down.state, plans=(plan(down.now),)))

    def taking_over(self, step: str = "xcatd", outcome: Outcome = Outcome.RUNNING) -> Pair:
        """A confirmed takeover whose `step` is under way (or ended badly)."""
        down = self.primary_down()
        going = run(STEP_IDS.index(step), outcome, down.now)
        state = replace(
            down.state,
            state=State.TAKING_OVER,
            since=going.started_at,
            because="the operator confirmed plan 7f3a-91c2",
            run=going,
        )
        return replace(down, state=state)

    def paused_at(self, step: str = "dhcp") -> Pair:
        """A takeover whose `step` was not done; it waits for the operator."""
        pair_ = self.taking_over(step, Outcome.NOT_DONE)
        assert pair_.state.run is not None
        sentence = 'makedhcp -n said: "Error: [aixmn2]: dhcp server is not running."'
        steps_ = dict(pair_.state.run.steps)
        steps_[step] = replace(steps_[step], sentence=sentence)
        paused = replace(
            pair_.state.run,
            status=RunStatus.PAUSED,
            paused_step=step,
            reason=sentence,
            steps=steps_,
        )
        return replace(pair_, state=replace(pair_.state, run=paused))

    def contradicted(self, done: int = 2, heard: str = "ssh_banner was answered") -> Pair:
        """In the middle of a takeover the old primary answers; `done` steps were finished."""
        pair_ = self.taking_over(STEP_IDS[done])
        assert pair_.state.run is not None
        steps_ = dict(pair_.state.run.steps)
        steps_[STEP_IDS[done]] = StepRun()
        paused = replace(
            pair_.state.run,
            status=RunStatus.PAUSED,
            paused_step="",
            reason=f"contradicted: {heard}",
            steps=steps_,
        )
        tracks: dict[Probe, Track] = {
            probe: pair_._answered() for probe in Probe if probe is not Probe.GATEWAY
        }
        watch = replace(pair_.state.watch, tracks=tracks, fence=())
        held = replace(pair_, state=replace(pair_.state, run=paused, watch=watch))
        return held._assess(evidence=())

    def concluded(self, *, heard: bool = True) -> Pair:
        """A takeover whose fence was overridden was concluded a moment ago."""
        active = self.active()
        now = active.now
        last = replace(
            active.state.finished[-1],
            status="concluded",
            open_steps=("fence", "dhcp"),
            finished_at=now.wall_s - 1,
        )
        open_steps = active._condition(
            "TakeoverIncomplete", Status.TRUE, "OpenSteps", "open steps: fence, dhcp", 1
        )
        tracks = dict(active.state.watch.tracks)
        if heard:
            tracks = dict.fromkeys(tracks, active._answered())
        watch = replace(active.state.watch, tracks=tracks)
        state = replace(active.state, since=now.wall_s - 1, finished=(last,), watch=watch,
                        because="anna: consoles follow on Monday")  # fmt: skip
        return replace(active, state=state)._assess(conditions=(open_steps,))

    def gates_block(self, minimum: FenceGrade = FenceGrade.AGENT_OFF) -> Pair:
        """Controller and primary went dark together: only the operator's word, and it is late."""
        down = self.primary_down()
        word = FenceEvidence(
            FenceGrade.OPERATOR, NIGHT.wall_s - 20, "operator", "seen switched off: rack 12 (anna)"
        )
        dark = FenceReading(None, NIGHT.ago(3), "Failed: Unable to obtain plug status")
        conditions = tuple(
            one for one in down.state.assessment.conditions if one.type != "FenceReady"
        )
        unread = down._condition(
            "FenceReady", Status.UNKNOWN, "ControllerFails", "the power controller times out", 3
        )
        policy = replace(down.terms.policy, fence_minimum=minimum)
        watch = replace(down.state.watch, fence=(dark,))
        dark_pair = replace(
            down, state=replace(down.state, watch=watch), terms=Terms(down.terms.site, policy)
        )
        return dark_pair._assess(
            evidence=(word,),
            conditions=(*conditions, unread),
            loss=Loss(LossVerdict.ZERO_LIKELY, ("NEARSYNC, in Peer when the link broke",)),
            promotion=Promotion("accepted-force", Verdict.PASS, "TAKEOVER BY FORCE"),
        )

    def rebooted(self) -> Pair:
        """The management node lost its power; neither its database nor its address came back."""
        active = self.active()
        told = "its database is down and it does not hold the identity: hamnctl plan resume"
        down = active._condition("Serves", Status.FALSE, "Down", told, 3)
        return active._assess(conditions=(down, *active.state.assessment.conditions))

    def resuming(self) -> Pair:
        """What it served comes up again; the operator is waited for at the promote step."""
        rebooted = self.rebooted()
        paused = self.taking_over("promote", Outcome.NOT_DONE).state.run
        assert paused is not None
        request = replace(paused.plan.request, kind=PlanKind.RESUME)
        told = 'SQL1769N  START HADR cannot complete. Reason code = "98".'
        run = replace(
            paused,
            plan=replace(paused.plan, request=request, variant="start-as-primary"),
            status=RunStatus.PAUSED,
            paused_step="promote",
            reason=told,
            steps={**paused.steps, "promote": replace(paused.steps["promote"], sentence=told)},
        )
        return replace(rebooted, state=replace(rebooted.state, run=run))

    def active(self, *, returned: bool = False, adopted: bool = False) -> Pair:
        """This node is the management node, for 50 minutes."""
        down = self.primary_down()
        later = Instant(NIGHT.monotonic_s + 3000, NIGHT.wall_s + 3000)
        moved = replace(down, now=later)
        finished = FinishedRun(
            DIGEST, "takeover", "done", NIGHT.wall_s + 32, NIGHT.wall_s + 113, (), "zero_proven"
        )
        because = "adopted: the database is primary and the identity is held" if adopted else (
            "verify: every postcondition holds"
        )  # fmt: skip
        view = replace(moved._replication(), role="primary", state="disconnected", connected=False,
                       is_protecting=False, since=int(DIED))  # fmt: skip
        answer = moved._answered() if returned else Track(None, None, NIGHT, later.ago(0.5))
        watch = replace(
            down.state.watch,
            tracks={probe: answer for probe in Probe if probe is not Probe.GATEWAY},
            gateway=moved._answered(),
            witnesses=moved._sights(Answer.ANSWERED if returned else Answer.SILENT),
            replication=view,
            skew=None,
        )
        state = NodeState(
            State.ACTIVE,
            NIGHT.wall_s + 113,
            because,
            epoch=Epoch(4, STANDBY, "boot-1"),
            watch=watch,
            finished=() if adopted else (finished,),
            ended={} if adopted else {"takeover done": 1},
            changes=(Change(NIGHT.wall_s + 113, State.TAKING_OVER, State.ACTIVE, "T20", because),),
        )
        conditions = (
            (
                moved._condition(
                    "OldPrimaryReturned",
                    Status.TRUE,
                    "Answers",
                    "the old primary answers again: hold it off until it is rejoined",
                    1,
                ),
            )
            if returned
            else ()
        )
        return moved._with(
            state,
            assessment=Assessment(
                conditions=conditions, is_protected=Status.FALSE, is_ready=Status.FALSE
            ),
        )

    def observe_only(self, reason: str = "journal: disk full and the reserve is spent") -> Pair:
        """The same situation, but hamnd may not act."""
        return replace(self, state=replace(self.state, mode=Mode.OBSERVE_ONLY, mode_reason=reason))

    def rehearsed(self, failing: str = "", *, is_over: bool = True) -> Pair:
        """The same situation, but a takeover was rehearsed this morning; `failing` would fail."""
        at = self.now.wall_s - 35_000
        results = tuple(
            Rehearsed(step, Verdict.BLOCK, "the controller refuses our login", 2, 0.4)
            if step == failing
            else Rehearsed(step, Verdict.PASS, "4 looks taken", 4, 0.3)
            for step in STEP_IDS[: None if is_over else 3]
        )
        told = f"{failing}: the controller refuses our login" if failing else "9 steps, 36 looks"
        one = Rehearsal(7, "hamnd", at - 4, STEP_IDS, results)
        if is_over:
            one = replace(one, finished_at=at, outcome="not_done" if failing else "done",
                          sentence=told)  # fmt: skip
        well = at - 86_400 if failing else at
        state = replace(self.state, rehearsal=one, rehearsed_at=well)
        status, reason = (Status.FALSE, "WouldFail") if failing else (Status.TRUE, "Passed")
        condition = self._condition("Rehearsed", status, reason, told, 35_000)
        found = (*self.state.assessment.conditions, condition)
        return replace(self, state=state)._assess(conditions=found)

    def on_hold(self, since_s: float = 600.0) -> Pair:
        """The same situation, but somebody works on the pair until a quarter past four."""
        since = self.now.wall_s - since_s
        hold = Hold("anna", "new kernel on aixmn1", since, self.now.wall_s + 8_000)
        return replace(self, state=replace(self.state, hold=hold))

    def isolated(self) -> Pair:
        """This node itself is cut off."""
        silent = self.primary_silent(20, Answer.UNKNOWN)
        gateway = Track(self.now.ago(21), None, self.now.ago(20), self.now.ago(0.4))
        message = "neither gateway nor service nodes answer this node"
        cut = self._condition("NotIsolated", Status.FALSE, "Isolated", message, 1)
        rest = [one for one in silent.state.assessment.conditions if one.type != "NotIsolated"]
        state = replace(silent.state, watch=replace(silent.state.watch, gateway=gateway))
        return replace(silent, state=state)._assess(conditions=(*rest, cut))

    # ---- parts -----------------------------------------------------------------------------
    def step_ready(self) -> tuple[Condition, ...]:
        """One proven StepReady condition per step; dns is the oldest proof."""
        return tuple(
            self._condition(f"StepReady/{id_}", Status.TRUE, "Proven", "its looks pass",
                            240 if id_ == "dns" else 60)
            for id_ in STEP_IDS
        )  # fmt: skip

    def _alive(self, cause: Cause) -> Pair:
        """The host answers; its services do not."""
        answered = self._answered()
        silent = Track(None, None, NIGHT.ago(372), self.now.ago(0.4))
        good = (Probe.PING, Probe.TCP) if cause is Cause.FROZEN else tuple(Probe)
        watch = replace(
            self.state.watch,
            tracks={
                probe: answered if probe in good else silent
                for probe in Probe
                if probe is not Probe.GATEWAY
            },
            xcatd=XcatdTrack(None, NIGHT.ago(372), self.now.ago(2), "no answer to lsxcatd")
            if cause is Cause.SERVICE
            else XcatdTrack(),
            fence=(FenceReading(False, self.now.ago(8), "ipmi says on"),),
        )
        basis = {
            Cause.FROZEN: ("ping or connect answers, ssh banner and xcatd request are silent",),
            Cause.SERVICE: ("the host answers", "xcatd: no answer to lsxcatd"),
        }[cause]
        rule = replace(self.state.assessment.rule, basis=basis)
        advice = "xcatd only: try restartxcatd on aixmn1" if cause is Cause.SERVICE else ""
        return replace(self, state=replace(self.state, watch=watch))._assess(
            rule=rule, advice=advice
        )

    def protected(self) -> Pair:
        """The management node, with the old primary rejoined as its standby, in Peer."""
        active = self.active()
        view = active.state.watch.replication
        assert view is not None
        view = replace(view, state="peer", connected=True, is_protecting=True)
        watch = replace(
            active.state.watch,
            replication=view,
            tracks={probe: active._answered() for probe in Probe if probe is not Probe.GATEWAY},
            witnesses=active._sights(Answer.ANSWERED),
            partner=PartnerDatabase(False, "standby", at=active.now.ago(2)),
        )
        began = active.now.wall_s - 900
        rejoin = FinishedRun("sha256:4c11be02", "rejoin", "done", began, began + 240)
        state = replace(active.state, watch=watch, finished=(*active.state.finished, rejoin))
        active = replace(active, state=state)
        return active._assess(is_protected=Status.TRUE)

    def _with(self, state: NodeState, assessment: Assessment) -> Pair:
        return replace(self, state=replace(state, assessment=assessment))._lasting()

    def _lasting(self) -> Pair:
        """Protection ended, where it did, with the present state or with the primary's silence."""
        state = self.state
        is_protected = state.assessment.is_protected is Status.TRUE
        lasting = replace(
            state.lasting,
            watched_since=NIGHT.wall_s - 400 * 86400,
            standby_since=NIGHT.wall_s - 30 * 86400 if state.state in STANDBY_STATES else None,
            unprotected_since=None if is_protected else (state.silence_began or state.since),
        )
        return replace(self, state=replace(state, lasting=lasting))

    def _assess(self, **changes: object) -> Pair:
        assessment = replace(self.state.assessment, **changes)  # type: ignore[arg-type]  # by name
        return replace(self, state=replace(self.state, assessment=assessment))._lasting()

    def _answered(self) -> Track:
        return Track(answered=self.now.ago(1))

    def _sights(self, sees: Answer) -> Mapping[str, WitnessSight]:
        words = {
            Answer.ANSWERED: "reaches its ssh and xcatd",
            Answer.SILENT: "no answer from it",
            Answer.UNKNOWN: "did not answer us",
        }
        return {
            witness.name: WitnessSight(witness.name, sees, words[sees], self.now.ago(2))
            for witness in self.terms.site.witnesses
        }

    def _replication(self) -> Replication:
        return Replication(
            engine="db2",
            role="standby",
            state="peer",
            connected=True,
            sync_mode="nearsync",
            positions=Positions(262_440_605, 262_440_605, 262_440_605),
            gap_bytes=0,
            replay_gap_bytes=0,
            since=int(self.now.wall_s) - 2_000_000,
            observed=self.now.ago(2),
            source="db2pd",
            is_protecting=True,
            is_database_up=True,
            peer_window_s=120,
            peer_window_end=int(self.now.wall_s) + 111,
        )

    def _condition(
        self, type_: str, status: Status, reason: str, message: str, age_s: float
    ) -> Condition:
        wall_s = self.now.wall_s
        return Condition(type_, status, reason, message, wall_s - 300, wall_s - age_s, "probes")


def pair() -> Pair:
    """A pair of nodes of which nothing is known yet."""
    return Pair()


def situations() -> dict[str, Pair]:
    """Every situation by name, for goldens and properties."""
    return {
        "starting": pair().starting(),
        "peer": pair().in_peer(),
        "peer_not_ready": pair().not_ready(),
        "peer_observe_only": pair().in_peer().observe_only(),
        "peer_rehearsed": pair().in_peer().rehearsed(),
        "peer_rehearsal_failed": pair().in_peer().rehearsed("fence"),
        "peer_on_hold": pair().in_peer().on_hold(),
        "degraded_gap": pair().degraded_gap(),
        "degraded_link_cut": pair().link_cut(),
        "degraded_suspicion": pair().primary_silent(for_s=3),
        "degraded_isolated": pair().isolated(),
        "degraded_in_trouble": pair().in_trouble(),
        "degraded_superseded": pair().superseded(),
        "down_host": pair().primary_down(),
        "down_frozen": pair().primary_down(Cause.FROZEN),
        "down_service": pair().primary_down(Cause.SERVICE),
        "down_planned": pair().planned(),
        "down_gates_block": pair().gates_block(),
        "taking_over": pair().taking_over(),
        "taking_over_contradicted": pair().contradicted(),
        "taking_over_contradicted_late": pair().contradicted(3),
        "taking_over_paused": pair().paused_at(),
        "active": pair().active(),
        "active_concluded": pair().concluded(),
        "active_concluded_quiet": pair().concluded(heard=False),
        "active_adopted": pair().active(adopted=True),
        "active_old_primary_returned": pair().active(returned=True),
        "active_protected": pair().protected(),
        "active_rebooted": pair().rebooted(),
        "active_resuming": pair().resuming(),
    }
