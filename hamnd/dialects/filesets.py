"""File sets as requests: the pull of a tree, the comparison and verification of a staged set.

Owns the actions and their readers. Must not decide when they run (core.copying). Which files they
are, and what makes them right: xcat-hamn.md §3.
"""

from __future__ import annotations

from hamnd.dialects.salvage import ASK, Salvaged, remote, told
from hamnd.dialects.shell import last_lines, read_exit_zero, unanswered
from hamnd.model.filesets import FileSet
from hamnd.model.names import Verdict
from hamnd.model.site import Site
from hamnd.model.work import Action, Compare, Exec, Look, Pull, Reading, Report

_VERIFY = """\
set -eu; openssl=$1; shift; authority=
bad() { echo "$1" >&2; exit 1; }
for target do for at in "${target%/*}/.hamnd/new/${target##*/}" "$target"; do
[ -e "$at" ] || continue
[ ! -f "$at/ca-cert.pem" ] || authority=$at/ca-cert.pem
break
done; done
for target do
new=${target%/*}/.hamnd/new/${target##*/}; at=$new; [ -e "$at" ] || at=$target
file=$at/server-cred.pem
[ ! -f "$file" ] || [ -z "$authority" ] \\
|| "$openssl" verify -no_check_time -CAfile "$authority" "$file" >/dev/null 2>&1 \\
|| bad "$file was not signed by $authority"
[ -e "$new" ] || continue
for name in ca-cert.pem ca.pem server-cred.pem client-cred.pem; do
[ ! -f "$target/$name" ] || [ -f "$new/$name" ] || bad "$target/$name is gone from the primary"
done
owner=$(ls -ldn "${target%/*}" | awk '{ print $3 }')
other=$(find "$new" ! -user 0 ! -user "$owner" | head -n 1)
[ -z "$other" ] || bad "$other belongs neither to root nor to the owner of ${target%/*}"
other=$(find "$new" ! -type l -perm -0002 | head -n 1)
[ -z "$other" ] || bad "$other may be written by everybody"
find "$new" -type f | while IFS= read -r file; do
if grep -q "PRIVATE KEY" "$file"; then
case $(head -n 1 "$file") in *OPENSSH*) ssh-keygen -y -P "" -f "$file" >/dev/null 2>&1 ;;
*) "$openssl" pkey -noout -in "$file" -passin pass: >/dev/null 2>&1 ;; esac \\
|| bad "$file is no private key"
[ -z "$(find "$file" \\( -perm -0040 -o -perm -0020 -o -perm -0004 -o -perm -0002 \\))" ] \\
|| bad "$file is a private key that others may read"
fi
if grep -q "BEGIN CERTIFICATE-" "$file"; then
"$openssl" x509 -noout -in "$file" >/dev/null 2>&1 || bad "$file is no certificate"
ca=${file%/*}/ca.pem
if [ -f "$ca" ] && [ "$ca" != "$file" ]; then
"$openssl" verify -no_check_time -CAfile "$ca" "$file" >/dev/null 2>&1 \\
|| bad "$file was not signed by $ca"
fi
case $file in *-cred.pem) ! grep -q "PRIVATE KEY" "$file" \\
|| [ "$("$openssl" pkey -pubout -in "$file" -passin pass:)" = \\
"$("$openssl" x509 -pubkey -noout -in "$file")" ] \\
|| bad "the key in $file is not its certificate's" ;; esac
fi
done || exit 1
done
"""
"""Before a set is switched: keys parse and are nobody else's, certificates belong to their CA."""

_VALID = """\
openssl=$1 limit=$2; shift 2; n=0
for folder do
for file in "$folder"/*.pem; do
[ -f "$file" ] && grep -q "BEGIN CERTIFICATE-" "$file" || continue
"$openssl" x509 -noout -checkend "$limit" -in "$file" >/dev/null 2>&1 && { n=$((n+1)); continue; }
end=$("$openssl" x509 -noout -enddate -in "$file") || { echo "$file is unreadable"; exit 1; }
echo "$file expires ${end#notAfter=}"; exit 1
done
done
echo "$n certificates are valid tomorrow"
"""
"""x509 -checkend ends with 1 for a certificate that expires within so many seconds (x509(1))."""
TOMORROW_S = 86_400

_COMPARE = """\
set -eu; rsync=$1 shell=$2 from=$3; shift 3
bad() { echo "$1" >&2; exit 1; }
ASK
said=$(while [ $# -gt 1 ]; do
source=$1 target=$2; shift 2; tail=; case $source in */) tail=/ ;; esac
"$rsync" -asnc --no-D --delete --timeout=30 --out-format="%i $target$tail%n" \\
--rsync-path="$there" -e "$shell" "$from:$source" "$target$tail"
done)
awk -v as_of="$as_of" -v said="$said" 'BEGIN {
n = split(said, line, "\\n"); same = "true"
for (i = 1; i <= n; i++) {
if (line[i] == "") continue
name = substr(line[i], 13); what = substr(line[i], 1, 11)
is_other = what ~ /^\\*deleting|\\+\\+\\+/ || substr(what, 3, 1) == "c"
if (name ~ /\\/ca-cert\\.pem$/ && is_other) same = "false"
if (what ~ /^\\*deleting/) extra++; else if (what ~ /\\+\\+\\+\\+/) missing++; else differ++
gsub(/[^ -~]/, "?", name); gsub(/["\\\\]/, "?", name)
if (++shown <= 20) names = names (shown > 1 ? ", " : "") "\\"" name "\\""
}
printf "hamnd-copy {\\"as_of\\": %s, \\"identical\\": %s, ", as_of, same
printf "\\"drift\\": {\\"at\\": %s, ", as_of
printf "\\"differ\\": %d, \\"missing\\": %d, \\"extra\\": %d, ", differ, missing, extra
printf "\\"examples\\": [%s]}}\\n", names
}'
""".replace("ASK", ASK)
"""Compare small sets by their contents, in place, and write nothing.

The CA is another one where its contents are, not where a copy has another time or other rights.
"""


def pull(site: Site, one: FileSet) -> Action:
    """Return the action that brings here what changed in a tree."""
    return Action(_pull(site, one), reads="filesets.pulled")


def pull_contents(site: Site, one: FileSet) -> Action:
    """Return the action that compares the contents of a whole tree and brings what differs."""
    return Action(_pull(site, one, Compare.CONTENTS), reads="filesets.pulled")


def look(site: Site, one: FileSet) -> Action:
    """Return the action that only tells what of a tree differs."""
    return Action(_pull(site, one, is_dry=True), reads="filesets.pulled")


def _pull(
    site: Site, one: FileSet, compare: Compare = Compare.CHANGES, is_dry: bool = False
) -> Pull:
    return Pull(
        host=site.node,
        source=site.partner.name,
        name=one.name,
        paths=one.paths,
        exclude=one.exclude,
        only=one.only,
        compare=compare,
        is_dry=is_dry,
        may_delete_percent=one.may_delete_percent,
        bandwidth_kib=one.bandwidth_kib,
        is_gentle=one.is_gentle,
        whole_after_s=one.whole_after_s,
        known_paths=_all_paths(site) if one.names_osimages and not is_dry else (),
    )


def _all_paths(site: Site) -> tuple[str, ...]:
    return tuple(path for one in site.file_sets for path in one.paths)


def verify_credentials(site: Site, members: tuple[Salvaged, ...]) -> Action:
    """Return the action that refuses a staged set which nodes could not trust."""
    targets = tuple(member.target for member in members)
    argv = ("sh", "-c", _VERIFY, "hamnd-verify", site.tool("openssl"), *targets)
    return Action(Exec(site.node, argv), reads="filesets.verified")


def certificates_valid(site: Site) -> tuple[Look, ...]:
    """Return a look for certificates here that expire before tomorrow; none where none are kept."""
    if not site.credentials:
        return ()
    tool = site.tool("openssl")
    argv = ("sh", "-c", _VALID, "hamnd-valid", tool, str(TOMORROW_S), *site.credentials)
    what = "xCAT's certificates here are valid until tomorrow"
    return (Look(Exec(site.node, argv), reads="filesets.certificates_valid", expects=what),)


def read_certificates_valid(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when none expires; what expired is named with its date."""
    silence = unanswered(report)
    if silence is not None:
        return silence
    told = report.stdout.strip() or last_lines(report) or f"exit code {report.exit_code}"
    if report.exit_code == 0:
        return Reading(Verdict.PASS, told)
    clear = "renew it on both nodes, or copy it: hamnctl sync credentials"
    return Reading(Verdict.BLOCK, f"{told} -> {clear}")


def compare(site: Site, members: tuple[Salvaged, ...]) -> Action:
    """Return the action that tells in what small sets differ from the partner's."""
    pairs = (word for member in members for word in (member.source, member.target))
    argv = ("sh", "-c", _COMPARE, "hamnd-compare", *remote(site), *pairs)
    return Action(Exec(site.node, argv), reads="filesets.compared")


def read_pulled(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when everything is here, by the puller's own account."""
    return told(report, "copied and verified")


def read_verified(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when keys and certificates are right."""
    reading = read_exit_zero(report)
    if reading.verdict is Verdict.PASS:
        return Reading(Verdict.PASS, "keys and certificates are right")
    return reading


def read_compared(report: Report, _arguments: tuple[str, ...] = ()) -> Reading:
    """PASS when the comparison came to its end, whatever it found."""
    return told(report, "compared")
