"""What two nodes need before one can protect the other: names, ssh both ways, one level (guide §2).

Owns the small scripts that ask and do it. Must not know in which plan they are. What is true
already is left alone, so that a half-configured pair is finished.

A node's own host key is read from itself, and a node's own public key through a connection that is
proven already: nothing is trusted on first use.
"""

from __future__ import annotations

from dataclasses import replace

from hamnd.dialects.acquaintance import ASK
from hamnd.dialects.aix import interfaces, program
from hamnd.dialects.levels import SOFTWARE_S
from hamnd.dialects.shell import endpoint, preview, ssh_argv
from hamnd.model.site import Node, Platform, Site
from hamnd.model.work import Action, Exec, Look

LIMIT_S = 20.0

_KNOWS = """\
while [ $# -gt 1 ]; do
  asked "$2" | grep -qxF "$1" || { echo "$2 is not $1 here"; exit 1; }
  shift 2
done
echo "it knows the names"
"""
_TEACH = """\
while [ $# -gt 1 ]; do
  found=$(asked "$2") || { echo "nobody here can tell what $2 is"; exit 1; }
  case $found in
  '') echo "$1 $2" >>/etc/hosts || exit 1;;
  *) printf '%s\\n' "$found" | grep -qxF "$1" || { echo "$2 has another address here"; exit 1; };;
  esac
  shift 2
done
"""
"""A name that has another address already is a person's to judge."""

_KEY = 'cat "$1.pub" 2>/dev/null || ssh-keygen -y -f "$1"'
_TAKE_KEY = (
    "umask 077; mkdir -p ~/.ssh && cat >~/.ssh/hamnd.key && [ -s ~/.ssh/hamnd.key ] && "
    "{ grep -qxFf ~/.ssh/hamnd.key ~/.ssh/authorized_keys 2>/dev/null || "
    "cat ~/.ssh/hamnd.key >>~/.ssh/authorized_keys; }; code=$?; rm -f ~/.ssh/hamnd.key; exit $code"
)
_HOST_KEY = (
    'ssh-keyscan -T 5 -p "$2" "$1" 2>/dev/null | '
    'if [ -n "$3" ]; then sed "s/^[^# ][^ ]* /$3,$1 /"; else cat; fi'
)
"""With a name beside the address where the name stays with the machine and the address does not."""
_TAKE_HOST_KEY = (
    'umask 077; mkdir -p "$(dirname "$1")" && cat >"$1.new" && [ -s "$1.new" ] && '
    'cat "$1.new" >>"$1"; code=$?; rm -f "$1.new"; exit $code'
)
_PIPE = 'said=$(sh -c "$1") && [ -n "$said" ] && printf "%s\\n" "$said" | sh -c "$2"'
_LEVEL = {
    Platform.LINUX: '. /etc/os-release 2>/dev/null && echo "$ID $VERSION_ID"; '
    "rpm -q --qf 'xCAT %{VERSION}\\n' xCAT-server 2>/dev/null | grep '^xCAT ' || "
    "dpkg-query -W -f 'xCAT ${Version}\\n' xcat-server 2>/dev/null || :",
    Platform.AIX: 'level=$("$1" -s 2>/dev/null) && [ -n "$level" ] && echo "AIX $level" && '
    "{ xcat=$(rpm -q --qf '%{VERSION}-%{RELEASE}' xCAT 2>/dev/null) && echo \"xCAT $xcat\" || :; }",
}
"""On AIX the whole of `oslevel -s` has to be the same (aix.md §4); xCAT is an RPM there too."""
_SAME = (
    'one=$(sh -c "$1") two=$(sh -c "$2"); [ -n "$one" ] && [ -n "$two" ] || '
    '{ echo "a node does not tell its level: ${one:-?}, ${two:-?}"; exit 1; }; '
    '[ "$one" = "$two" ] || { echo "not one level:" $one "and" $two; exit 1; }; '
    'echo "both have" $one'
)
_ON_LINK = (
    'route=$("$1" route get "$2") || { echo "there is no way to $2"; exit 1; }; '
    'case $route in *" via "*) echo "$2 is behind a router: not one subnet"; exit 1;; esac; '
    'echo "$2 is on this node\'s own network"'
)


def knows_names(site: Site, host: str) -> Look:
    """Return a look that expects a host to know both nodes' names."""
    told = f"{host} knows {site.primary.name} and {site.standby.name}"
    return _look(_naming(site, host, _KNOWS, _names(site)), told)


def teach_names(site: Site, host: str) -> Action:
    """Return what adds the names that a host does not know to its /etc/hosts."""
    return Action(_naming(site, host, _TEACH, _names(site)), is_repeatable=True)


def knows_services(site: Site, host: str) -> Look:
    """Return a look that expects a host to know the names that move."""
    told = f"{host} knows {', '.join(one.name for one in site.identity)}"
    return _look(_naming(site, host, _KNOWS, _services(site)), told)


def teach_services(site: Site, host: str) -> Action:
    """Return what adds the names that move to a host's /etc/hosts where it does not know them."""
    return Action(_naming(site, host, _TEACH, _services(site)), is_repeatable=True)


def can_log_in(site: Site, host: Node, other: Node) -> Look:
    """Return a look that expects `host` to reach `other` as hamnd and the guard there do."""
    request = Exec(host.name, (*ssh_argv(replace(site, node=host.name), other.name), "true"))
    return _look(request, f"{host.name} reaches {other.name} by ssh")


def let_log_in(site: Site, host: Node, other: Node) -> tuple[Action, ...]:
    """Return what lets `host` in at `other`: its public key there, that one's host key here."""
    where = endpoint(site, other.name)
    key = Exec(host.name, ("sh", "-c", _KEY, "hamnd-key", site.ssh.key_file))
    take = Exec(other.name, ("sh", "-c", _TAKE_KEY, "hamnd-take-key"))
    asked = (where.address, str(where.port), where.key_alias)
    scan = Exec(other.name, ("sh", "-c", _HOST_KEY, "hamnd-host-key", *asked))
    keep = Exec(
        host.name, ("sh", "-c", _TAKE_HOST_KEY, "hamnd-take-host-key", site.ssh.known_hosts_file)
    )
    return (_piped(site, "key", key, take), _piped(site, "host-key", scan, keep))


def same_level(site: Site) -> Look:
    """Return a look that compares both nodes' operating system and xCAT, as packages tell them."""
    lines = (preview(_level(site, host.name), site) for host in (site.primary, site.standby))
    request = Exec(site.node, ("sh", "-c", _SAME, "hamnd-same-level", *lines))
    found = _look(request, "one level of operating system and xCAT on both nodes")
    return replace(found, timeout_s=SOFTWARE_S)


def on_link(site: Site) -> Look:
    """Return a look that expects the partner in this node's own subnet: DHCP is broadcast."""
    if site.platform is Platform.AIX:
        return interfaces.on_link(site, site.partner.address)
    words = ("hamnd-on-link", site.tool("ip"), site.partner.address)
    request = Exec(site.node, ("sh", "-c", _ON_LINK, *words))
    return _look(request, f"{site.partner.name} is in one subnet with this node")


def _level(site: Site, host: str) -> Exec:
    tools: tuple[str, ...] = ()
    if site.platform is Platform.AIX:  # where its tools lie is told of this node alone
        tools = (program(site, "oslevel") if host == site.node else "oslevel",)
    return Exec(host, ("sh", "-c", _LEVEL[site.platform], "hamnd-level", *tools))


def _naming(site: Site, host: str, script: str, words: tuple[str, ...]) -> Exec:
    """Return a script about addresses and their names, which asks as its platform asks."""
    return Exec(host, ("sh", "-c", ASK[site.platform] + script, "hamnd-names", *words))


def _services(site: Site) -> tuple[str, ...]:
    return tuple(word for one in site.identity for word in (one.address, one.name))


def _names(site: Site) -> tuple[str, ...]:
    hosts = (site.named.primary, site.named.standby)
    return tuple(word for one in hosts for word in (one.address, one.name))


def _piped(site: Site, name: str, one: Exec, other: Exec) -> Action:
    """What one host says is handed to another, through this node."""
    words = (f"hamnd-{name}", preview(one, site), preview(other, site))
    return Action(Exec(site.node, ("sh", "-c", _PIPE, *words)), is_repeatable=True)


def _look(request: Exec, told: str) -> Look:
    return Look(request, reads="shell.exit_zero", expects=told, timeout_s=LIMIT_S)
