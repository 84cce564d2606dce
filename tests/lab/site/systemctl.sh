#!/bin/sh
# A stand-in for systemctl on lab hosts without systemd: it starts real servers, keeps them apart
# from whoever called, and says what systemctl says. A unit is /etc/lab/units/NAME, shell variables:
#   RUN    what runs, in the foreground     READY  succeeds once it serves (default: at once)
#   LIMIT  seconds for READY (default 90)   ALIAS  more names of the unit
# ExecCondition= lines in /etc/systemd/system/NAME.service.d/*.conf are obeyed, as systemd does: exit
# 1-254 leaves the unit inactive and the start still succeeds.
units=/etc/lab/units enabled=/etc/lab/enabled run=/run/lab/units
mkdir -p "$enabled" "$run"

find_unit() { # sets unit, RUN, READY, LIMIT
  unit=${1%.service}; RUN='' READY=: LIMIT=90
  # shellcheck disable=SC2034  # found by grep
  ALIAS=''
  if [ ! -e "$units/$unit" ]; then
    unit=$(grep -lE "^ALIAS=.*\b$unit\b" "$units"/* 2>/dev/null | head -n 1); unit=${unit##*/}
  fi
  # shellcheck disable=SC1090
  [ -n "$unit" ] && . "$units/$unit"
}
alive() { pid=$(cat "$run/$unit.pid" 2>/dev/null) && [ -n "$pid" ] && [ -d "/proc/$pid" ] &&
  ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; }
state() {
  if [ -e "$run/$unit.starting" ] && alive; then echo activating
  elif alive; then echo active
  elif [ -e "$run/$unit.pid" ] && [ ! -e "$run/$unit.stopped" ]; then echo failed
  elif [ -e "$run/$unit.failed" ]; then echo failed
  else echo inactive; fi
}
allowed() {
  for file in /etc/systemd/system/"$unit".service.d/*.conf; do
    [ -r "$file" ] || continue
    sed -n 's/^ExecCondition=+\{0,1\}//p' "$file" | while read -r condition; do
      sh -c "$condition" >>/var/lab/conditions.log 2>&1 </dev/null || exit 1
    done || return 1
  done
}
start() {
  find_unit "$1" || { echo "Failed to start ${1%.service}.service: Unit ${1%.service}.service not found." >&2; return 5; }
  alive && return 0
  allowed || return 0
  rm -f "$run/$unit.stopped" "$run/$unit.failed" "$run/$unit.pid"; : >"$run/$unit.starting"
  # As under systemd, nothing of the caller's environment reaches a unit.
  # shellcheck disable=SC2016  # for the inner shell
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root \
    setsid sh -c 'echo $$ >"$1"; exec sh -c "exec $2"' unit "$run/$unit.pid" "$RUN" \
    >>"/var/lab/$unit.log" 2>&1 </dev/null &
  tries=$((LIMIT * 20))
  while [ ! -s "$run/$unit.pid" ]; do sleep .01; done
  until sh -c "$READY" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if ! alive || [ "$tries" -le 0 ]; then
      : >"$run/$unit.failed"; rm -f "$run/$unit.starting"; finish
      echo "Job for $unit.service failed because the control process exited with error code." >&2
      echo "See \"systemctl status $unit.service\" and \"journalctl -xeu $unit.service\" for details." >&2
      return 1
    fi
    sleep .05
  done
  rm -f "$run/$unit.starting"
  alive && return 0
  : >"$run/$unit.failed"
  echo "Job for $unit.service failed because the control process exited with error code." >&2
  return 1
}
finish() { # the whole session that start made
  pid=$(cat "$run/$unit.pid" 2>/dev/null) && [ -n "$pid" ] || return 0
  pkill -TERM -s "$pid" 2>/dev/null
  n=0; while pgrep -s "$pid" >/dev/null && [ "$n" -lt 100 ]; do sleep .05; n=$((n + 1)); done
  pkill -KILL -s "$pid" 2>/dev/null
  rm -f "$run/$unit.pid"
}
stop() {
  find_unit "$1" || { echo "Failed to stop ${1%.service}.service: Unit ${1%.service}.service not loaded." >&2; return 5; }
  : >"$run/$unit.stopped"; rm -f "$run/$unit.failed" "$run/$unit.starting"
  finish
}
each() { verb=$1 code=0; shift; for one; do "$verb" "$one" || code=$?; done; return "$code"; }

now='' verb='' names=''
for word; do
  case $word in --now) now=yes ;; -*) ;; *) if [ -z "$verb" ]; then verb=$word; else names="$names $word"; fi ;; esac
done
# shellcheck disable=SC2086  # a word each
set -- $names
case $verb in
start) each start "$@" ;;
stop | kill) each stop "$@" ;;
restart | reload-or-restart) each stop "$@" 2>/dev/null; each start "$@" ;;
try-restart) for one; do find_unit "$one" && alive && { stop "$one"; start "$one"; }; done; : ;;
is-active)
  code=3
  for one; do if find_unit "$one"; then said=$(state); else said=inactive; fi
    echo "$said"; [ "$said" = active ] && code=0; done
  exit "$code" ;;
is-enabled)
  code=1
  for one; do
    if ! find_unit "$one"; then echo "Failed to get unit file state for $one: No such file or directory" >&2
    elif [ -e "$enabled/$unit" ]; then echo enabled; code=0
    else echo disabled; fi
  done
  exit "$code" ;;
enable | disable)
  code=0
  for one; do
    find_unit "$one" || { echo "Failed to $verb unit: Unit file $one.service does not exist." >&2; code=1; continue; }
    if [ "$verb" = enable ]; then : >"$enabled/$unit"; [ -z "$now" ] || start "$one" || code=$?
    else rm -f "$enabled/$unit"; [ -z "$now" ] || stop "$one"; fi
  done
  exit "$code" ;;
show)
  for one; do
    if find_unit "$one"; then
      printf 'Id=%s.service\nLoadState=loaded\nActiveState=%s\n' "$unit" "$(state)"
      sed -n '/^ExecCondition=/p' /etc/systemd/system/"$unit".service.d/*.conf 2>/dev/null
    else printf 'Id=%s\nLoadState=not-found\nActiveState=inactive\n' "$one"; fi
  done ;;
boot) for file in "$enabled"/*; do [ -e "$file" ] && start "${file##*/}" & done; wait ;;
is-system-running) echo running ;;
list-timers | daemon-reload | reset-failed | list-units | list-unit-files) ;;
*) echo "systemctl (lab): no verb '$verb'" >&2; exit 1 ;;
esac
