"""The keys by which a site adds to a takeover: steps of its own, and who is told.

Owns their documentation, defaults and kinds. Must not know how a file is read, nor what holds
between these keys (hamnd.settings.declared).
"""

from __future__ import annotations

from hamnd.settings import kinds
from hamnd.settings.schema import Key, Section

SITE_STEPS = (
    Key(
        "plan.takeover.step.id",
        kinds.matching(r"[a-z][a-z0-9-]{0,30}", "a-z, 0-9 and -, at most 31, a letter first"),
        "Name of the step on the card, in the journal and for `hamnctl skip`.",
        "Never while a run is paused.",
        example="licences",
    ),
    Key(
        "plan.takeover.step.title",
        kinds.text,
        "What the step does, in the words that the operator reads at night.",
        "Whenever the command's own name does not say it.",
        default="",
    ),
    Key(
        "plan.takeover.step.after",
        kinds.text,
        "The step that must be done before this one; `after`, `before` or both are required.",
        "With what the command needs.",
        default=None,
        example="identity",
    ),
    Key(
        "plan.takeover.step.before",
        kinds.text,
        "The step that waits until this one has ended, done or skipped.",
        "Only where that step really needs this one: everything else runs side by side.",
        default=None,
        example="xcatd",
    ),
    Key(
        "plan.takeover.step.host",
        kinds.node_name,
        "Witness on which the commands run. Default: the node that takes over.",
        "For commands on a service node.",
        default=None,
        example="sn01",
    ),
    Key(
        "plan.takeover.step.user",
        kinds.unix_name,
        "User to run the commands as. Default: the user hamnd runs or logs in as.",
        "Where root is too much.",
        default=None,
        example="licadm",
    ),
    Key(
        "plan.takeover.step.command",
        kinds.command,
        "The command that changes something, word by word; never a secret in it. It is run again "
        "only when `verify` says that it is not done.",
        "When the site's procedure changes; the digest of every plan changes with it.",
        example=("/usr/local/sbin/start-licences", "--all"),
    ),
    Key(
        "plan.takeover.step.check",
        kinds.command,
        "A command that only reads and ends with 0 when `command` may run. It is also run every "
        "readiness_interval_s, in peace: what it would change, it would change every minute.",
        "Whenever the step can be known to fail beforehand.",
        default=None,
        example=("test", "-x", "/usr/local/sbin/start-licences"),
    ),
    Key(
        "plan.takeover.step.verify",
        kinds.command,
        "A command that only reads and ends with 0 when the step is done.",
        "Together with `command`.",
        example=("/usr/local/sbin/licences", "--status"),
    ),
    Key(
        "plan.takeover.step.undo",
        kinds.command,
        "The command that takes it back when the run is aborted before its point of no return.",
        "Where there is a way back.",
        default=None,
        example=("/usr/local/sbin/stop-licences",),
    ),
    Key(
        "plan.takeover.step.timeout_s",
        kinds.seconds(1, 86_400),
        "Limit for the command; `check` and `verify` have 15 seconds each.",
        "When it takes longer.",
        default=60.0,
        unit="seconds",
    ),
)

HOOKS = (
    Key(
        "hooks.state_change",
        kinds.command,
        "Program that is told every change of state: a JSON object on its standard input (event, "
        "cluster, node, from, to, because, at). It can neither hold nor fail a run; its outcome is "
        "in the journal.",
        "To page somebody or to open a ticket. Secrets belong into a file that the program reads.",
        default=None,
        example=("/usr/local/sbin/tell-the-night-shift",),
    ),
    Key(
        "hooks.timeout_s",
        kinds.seconds(1, 3600),
        "Limit after which a hook is ended with everything it started.",
        "When it takes longer.",
        default=30.0,
        unit="seconds",
    ),
)

KEYS = (*SITE_STEPS, *HOOKS)

SECTIONS = (
    Section("plan.takeover", "What the site adds to a takeover."),
    Section(
        "plan.takeover.step",
        "One table for each step of the site's own. What it reads and what it changes is the "
        'site\'s word: the card shows it as "declared by the site".',
        many=True,
    ),
    Section("hooks", "Who is told when the state changes."),
)
