#!/usr/bin/env bash
# Installs the program into a Debian of its own under a real systemd and breaks it on purpose.
#
# Needs root, debootstrap, systemd-nspawn, ffmpeg and the checkout's virtual environment; about 3 minutes once the
# root file system is there. Nothing of this machine is changed but the cache folder.
set -euo pipefail
# Whatever the caller's: the container's own users must enter its root and read its camera. What is tried under the
# strictest one sets it itself.
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly HERE
readonly CACHE=${CLASSROOM_AGENT_SYSTEMD_CACHE:-/var/tmp/classroom-agent-systemd}
readonly ROOT=$CACHE/root WHEELS=$CACHE/wheels
readonly SUITE=bookworm
readonly ROLES=(ledger keeper recorder watch checkin sync archive web)
readonly STATE=/var/lib/classroom-agent

leader="" failures=0

good() { printf '✔ %s\n' "$*"; }
bad() { printf '✘ %s\n' "$*"; failures=$((failures + 1)); }
check() { # what command…
  local what=$1; shift
  if "$@" >/dev/null 2>&1; then good "$what"; else bad "$what"; fi
}
check_refused() { # what command…
  local what=$1; shift
  if "$@" >/dev/null 2>&1; then bad "$what"; else good "$what"; fi
}

inside() {
  nsenter -t "$leader" -m -u -i -n -p -C -- \
    env -i PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin HOME=/root LANG=C.UTF-8 "$@"
}
show() { inside systemctl show "classroom-agent-$1" -p "$2" --value; }
# As a role's user inside a role's own mount namespace: what the role itself could do.
as_role() { # role command…
  local role=$1 pid uid; shift
  pid=$(show "$role" MainPID) uid=$(inside id -u "$(show "$role" User)")
  inside nsenter -t "$pid" -m -S "$uid" -G "$(inside id -g classroom-agent)" -- "$@"
}

wait_for() { # seconds what command…
  local left=$1 what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || { bad "$what"; return 0; }
    sleep 1
  done
  good "$what"
}
is_active() { [[ $(show "$1" ActiveState) == active ]]; }
is_inactive() { [[ $(show "$1" ActiveState) == inactive ]]; }
ended_in_peace() { [[ $(show "$1" Result) == success ]]; }
was_restarted() { (($(show "$1" NRestarts) > $2)) && is_active "$1"; }

build_root() {
  if [[ ! -e $ROOT/etc/os-release ]]; then
    mkdir -p "$ROOT"
    debootstrap --variant=minbase \
      --include=systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,ffmpeg,tzdata,systemd-timesyncd,procps \
      "$SUITE" "$ROOT" >"$CACHE/debootstrap.log"
  fi
  mkdir -p "$WHEELS" "$ROOT/root/checkout" "$ROOT/root/wheels"
  "$HERE/.venv/bin/python" - "$HERE/pyproject.toml" >"$CACHE/dependencies" <<'PYTHON'
import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["project"]["dependencies"], sep="\n")
PYTHON
  "$HERE/.venv/bin/python" -m pip download -q -c "$HERE/constraints.txt" -d "$WHEELS" \
    setuptools wheel -r "$CACHE/dependencies" 2>"$CACHE/download.log"
  cp -u "$WHEELS"/* "$ROOT/root/wheels/"
  rm -rf "$ROOT/root/checkout" "$ROOT/srv/copy" "$ROOT$STATE" "$ROOT/etc/classroom-agent" "$ROOT/opt/classroom-agent"
  mkdir -p "$ROOT/root/checkout"
  git -C "$HERE" ls-files -z --cached --others --exclude-standard | tar -C "$HERE" --null -T - --ignore-failed-read -c 2>/dev/null |
    tar -C "$ROOT/root/checkout" -x
  [[ -e $ROOT/srv/camera.mp4 ]] || ffmpeg -v error -f lavfi -i testsrc2=size=1920x1080:rate=15 -t 20 \
    -c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p "$ROOT/srv/camera.mp4"
  : >"$ROOT/etc/machine-id"
}

boot() {
  # @clock: without it the container refuses to READ the clock's state, which a real machine does not.
  setsid systemd-nspawn --register=no --keep-unit -b -D "$ROOT" --private-network \
    --system-call-filter=@clock >"$CACHE/boot.log" 2>&1 </dev/null &
  local nspawn=$!
  trap stop EXIT
  for _ in {1..120}; do
    leader=$(pgrep -P "$nspawn" | head -n 1) || true
    [[ -n $leader && $(inside systemctl is-system-running 2>/dev/null) == running ]] && return
    sleep 0.5
  done
  bad "the container's systemd is running"
  exit 1
}

stop() {
  [[ -n $leader ]] || return 0
  kill -s RTMIN+4 "$leader" 2>/dev/null || return 0
  for _ in {1..60}; do kill -0 "$leader" 2>/dev/null || return 0; sleep 0.5; done
  kill -9 "$leader"
}

# Under the strictest umask that a technician's shell may have.
install_here() (
  umask 077
  inside bash /root/checkout/scripts/install.sh --no-apt --wheels /root/wheels "$@"
)

install_and_start() {
  check "installs" install_here
  cat >"$ROOT/etc/classroom-agent/agent.toml" <<'TOML'
[node]
institution = "demo-school"
room = "room-101"
node = "node-1"
environment = "demonstration"
[cameras.rear]
driver = "file"
path = "/srv/camera.mp4"
[cameras.door]
driver = "file"
path = "/srv/camera.mp4"
[[copies]]
name = "nas"
folder = "/srv/copy"
custodian = "institution"
require_volume_marker = false
TOML
  inside install -d -m 2750 -o classroom-agent -g classroom-agent /srv/copy
  check_refused "marks no disk that is not the one named" \
    install_here --video-device /dev/null --video-folder "$STATE/video"
  check "installs again and marks the disk" install_here \
    --video-device "$(inside findmnt -n -v -o SOURCE --target "$STATE")" --video-folder "$STATE/video"
  check "keeps the technician's settings" grep -q demo-school "$ROOT/etc/classroom-agent/agent.toml"
  check "units verify" inside systemd-analyze verify classroom-agent.target
  inside systemctl start --no-block classroom-agent.target
  local role
  for role in "${ROLES[@]}"; do
    wait_for 90 "$role says READY" is_active "$role"
    is_active "$role" || inside journalctl -u "classroom-agent-$role" -o cat -n 3 --no-pager
  done
}

check_exposure() {
  local role score
  for role in "${ROLES[@]}"; do
    score=$(inside systemd-analyze security --no-pager "classroom-agent-$role.service" |
      sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
    if awk "BEGIN { exit !($score <= 2.0) }"; then good "$role exposure $score"; else bad "$role exposure $score"; fi
  done
}

check_isolation() {
  local role path
  check "the ledger reads its key" as_role ledger cat "$STATE/ledger-keys/evidence-key.jwk"
  check_refused "the roles' user cannot read the ledger's key" \
    inside setpriv --reuid=classroom-agent --regid=classroom-agent --init-groups \
    cat "$STATE/ledger-keys/evidence-key.jwk"
  for role in "${ROLES[@]}"; do check "we can act as $role" as_role "$role" true; done
  for role in keeper recorder watch checkin sync archive web; do
    check_refused "$role cannot read the ledger's key" as_role "$role" cat "$STATE/ledger-keys/evidence-key.jwk"
    check_refused "$role cannot move the ledger's keys away" as_role "$role" mv "$STATE/ledger-keys" "$STATE/away"
  done
  check_refused "the ledger cannot read the others' keys" as_role ledger ls "$STATE/keys"
  for role in "${ROLES[@]}"; do
    for path in /etc/classroom-agent /opt/classroom-agent /usr/local/bin /var/lib /srv /root; do
      check_refused "$role cannot write to $path" as_role "$role" touch "$path/intruder"
    done
  done
  check "the recorder writes footage" as_role recorder touch "$STATE/video/probe"
  as_role recorder rm -f "$STATE/video/probe"
  check "the archive writes beside the footage" as_role archive touch "$STATE/video/probe"
  as_role archive rm -f "$STATE/video/probe"
  for role in watch checkin sync web ledger; do
    check_refused "$role cannot write footage" as_role "$role" touch "$STATE/video/intruder"
  done
  check "the archive writes to the copy" as_role archive touch /srv/copy/probe
  as_role archive rm -f /srv/copy/probe
  for role in recorder keeper watch checkin sync web ledger; do
    check_refused "$role cannot write to the copy" as_role "$role" touch /srv/copy/intruder
  done
  wait_for 60 "the ledger reads the log beside the footage" \
    as_role ledger grep -q . "$STATE/video/log/000000000001.jws"
  wait_for 60 "the ledger reads the log in the copy" as_role ledger grep -q . /srv/copy/log/000000000001.jws
  check_refused "others than the roles cannot read the snapshots" \
    inside setpriv --reuid=nobody --regid=nogroup --clear-groups ls "$STATE/video/snapshots"
  local host
  host=$(inside readlink /proc/1/ns/net)
  for role in ledger keeper watch recorder checkin archive; do
    check_refused "$role has no network" \
      [ "$(inside readlink "/proc/$(show "$role" MainPID)/ns/net")" = "$host" ]
  done
}

check_faults() {
  local restarts pid
  restarts=$(show keeper NRestarts)
  inside sh -c "kill -STOP $(show keeper MainPID)"
  pid=$(show recorder MainPID)
  inside sh -c "kill -KILL $pid"
  wait_for 30 "a killed recorder is back" was_restarted recorder 0
  inside systemctl restart classroom-agent-ledger
  wait_for 30 "a restarted ledger is back" is_active ledger
  wait_for 90 "a stopped (hung) keeper is killed by the watchdog and back" was_restarted keeper "$restarts"
  inside mv "$STATE/agent.sqlite" "$STATE/agent.sqlite.away"
  inside systemctl restart classroom-agent-recorder
  wait_for 30 "the recorder starts without its database" is_active recorder
  inside sh -c "rm -f $STATE/agent.sqlite*.away; systemctl restart 'classroom-agent-*.service'"
  local role
  for role in "${ROLES[@]}"; do wait_for 60 "$role is active" is_active "$role"; done
  wait_for 60 "the ledger took its log back from the copies" \
    inside sh -c "journalctl -u classroom-agent-ledger | grep -q ledger.log-restored"
}

check_acceptance() {
  # Under the roles' view of /proc: the container shows units another boot id than commands, a machine does not.
  inside systemd-run -q --pipe --wait -p ProtectProc=invisible \
    classroom-agent accept --seconds 6 --report "$STATE/acceptance.json" >"$CACHE/accept.txt" || true
  sed "s/^/    /" "$CACHE/accept.txt"
  check "the trial recording is good beside the running recorder" grep -q '^✔ 试录' "$CACHE/accept.txt"
  check "the running recorder's footage grows" grep -q '^✔ 录像正在落盘' "$CACHE/accept.txt"
  check "the evidence log verifies" inside classroom-agent verify
}

measure_memory() { inside python3 /root/checkout/scripts/memory.py; }

check_end() {
  local role
  inside systemctl stop classroom-agent.target
  for role in "${ROLES[@]}"; do
    wait_for 40 "$role stopped" is_inactive "$role"
    check "$role ended in peace" ended_in_peace "$role"
  done
  check_refused "deletes no evidence under a wrong name" \
    inside bash /root/checkout/scripts/uninstall.sh --delete-evidence other-node
  check "the program is still there after that" inside classroom-agent version
  check "uninstalls" inside bash /root/checkout/scripts/uninstall.sh
  check "keeps footage and keys" inside sh -c "ls $STATE/video/segments/*/*.mp4 $STATE/ledger-keys/*.jwk"
  check "installs again over what was kept" install_here
  check "deletes evidence under the node's name" \
    inside bash /root/checkout/scripts/uninstall.sh --delete-evidence node-1
  check_refused "nothing is left then" inside ls "$STATE"
}

# In a function, so that the whole script is read before anything runs.
main() {
  [[ $EUID -eq 0 ]] || { echo "run it as root" >&2; exit 2; }
  for tool in debootstrap systemd-nspawn nsenter ffmpeg; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 2; }
  done
  mkdir -p "$CACHE"
  build_root
  boot
  install_and_start
  check_exposure
  check_isolation
  check_faults
  check_acceptance
  measure_memory
  check_end
  echo "failures: $failures"
  ((failures == 0))
}

main
