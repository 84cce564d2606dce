"""The steps that a site declares itself, put into the order of a takeover.

Owns how such a step hangs on the others. Must not know whether a configuration may name it
(hamnd.settings.declared) nor what its commands do: what reads and what changes is the site's word.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.core.policy import Policy
from hamnd.dialects import shell
from hamnd.model.plan import Step
from hamnd.model.site import Site, SiteStep
from hamnd.model.work import Action, Exec

LAST = "verify"
"""Waits for every step but those that hang on it."""


def with_declared(steps: list[Step], site: Site, policy: Policy) -> list[Step]:
    """Return the steps together with the site's own.

    Raises:
        ValueError: one hangs on a step that this takeover does not have.
    """
    known = {step.id: step for step in steps}
    waiting = list(site.site_steps)
    while waiting:
        ready = next((one for one in waiting if anchors(one) <= set(known)), None)
        if ready is None:
            names = ", ".join(one.id for one in waiting)
            raise ValueError(f"{names} hang on each other or on a step that is not there")
        known[ready.id] = _step(ready, known, site, policy)
        if ready.before is not None:
            later = known[ready.before]
            known[later.id] = replace(later, after=(*later.after, ready.id))
        waiting.remove(ready)
    return _with_last(known, site)


def anchors(one: SiteStep) -> set[str]:
    """Return the steps that a site's own step hangs on."""
    return {name for name in (one.after, one.before) if name is not None}


def _step(one: SiteStep, known: dict[str, Step], site: Site, policy: Policy) -> Step:
    """Return the step; before another one it also waits for what that one waits for."""
    host = one.host or site.node
    depends_on: tuple[str, ...] = (one.after,) if one.after else ()
    after: tuple[str, ...] = ()
    anchored = [known[name] for name in anchors(one)]
    if one.before is not None:
        depends_on = tuple(dict.fromkeys((*depends_on, *known[one.before].depends_on)))
        after = known[one.before].after
    command = shell.quote(one.command)
    check = (shell.declared(host, one.check, one.user, f"{one.id} may run"),) if one.check else ()
    undo = (Action(Exec(host, one.undo, one.user)),) if one.undo else ()
    return Step(
        id=one.id,
        title=f"{one.title or command} (declared by the site)",
        guide="-",
        host=host,
        depends_on=depends_on,
        after=after,
        actions=(Action(Exec(host, one.command, one.user)),),
        readiness=check,
        preconditions=check,
        postconditions=(shell.declared(host, one.verify, one.user, f"{one.id} is done"),),
        timeout_s=policy.step_timeout_s(one.id, one.timeout_s),
        compensation=undo,
        needs_fence=any(step.needs_fence or step.proves_fence for step in anchored)
        and one.before != "fence",
    )


def _with_last(known: dict[str, Step], site: Site) -> list[Step]:
    last = known.get(LAST)
    if last is None:
        return list(known.values())
    own = [one.id for one in site.site_steps]
    hanging = _hanging(known, LAST)
    waits = tuple(name for name in own if name not in hanging and name not in last.after)
    known[LAST] = replace(last, after=(*last.after, *waits))
    return list(known.values())


def _hanging(known: dict[str, Step], name: str) -> set[str]:
    """Return every step that waits for this one, at once or in the end."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        on = ahead.pop()
        more = [
            step.id
            for step in known.values()
            if on in (*step.depends_on, *step.after) and step.id not in found
        ]
        found.update(more)
        ahead += more
    return found
