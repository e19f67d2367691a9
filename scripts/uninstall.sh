#!/usr/bin/env bash
# Removes the program. Footage, records, keys and settings stay, unless the node's name is typed.
set -euo pipefail

readonly STATE=/var/lib/classroom-agent
readonly CONFIG=/etc/classroom-agent
readonly COMMAND=/usr/local/bin/classroom-agent
readonly UNITS=/etc/systemd/system

delete_evidence="" node="" video=""

say() { printf '%s\n    %s\n' "$1" "$2"; }
die() { printf '中止：%s\n    Stopped: %s\n' "$1" "$2" >&2; exit 1; }

usage() {
  cat <<'TEXT'
用法 / Usage: sudo scripts/uninstall.sh [--delete-evidence 节点名/NODE]

  不带选项：删除程序，保留录像、记录、密钥和配置。
  Without options: removes the program; footage, records, keys and settings stay.

  --delete-evidence NODE   连同录像、记录、密钥一起删除，无法恢复。NODE 必须等于配置里的 [node] node。
                           录像须保存三年（R8），先取得人社部门同意。[[copies]] 里的副本不动。
                           deletes footage, records and keys too, for ever. NODE must equal [node] node of the
                           settings. Footage must be kept three years (R8): ask the HR department first. Copies
                           in the folders of [[copies]] stay.
TEXT
}

parse() {
  while (($#)); do
    case $1 in
      --delete-evidence) delete_evidence=${2:?--delete-evidence NODE}; shift 2 ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
  done
}

check() {
  [[ $EUID -eq 0 ]] || die "请用 sudo 运行" "run it with sudo"
  [[ -n $delete_evidence ]] || return 0
  node=$("$COMMAND" settings get node.node) || die "读不了配置，什么都没删" "the settings cannot be read; nothing was deleted"
  video=$("$COMMAND" settings get storage.video)
  [[ $delete_evidence == "$node" ]] ||
    die "节点名不对（这里是 $node），什么都没删" "that is not this node's name ($node); nothing was deleted"
}

remove_program() {
  systemctl disable -q --now classroom-agent.target 2>/dev/null || true
  systemctl stop 'classroom-agent-*.service' 2>/dev/null || true
  systemctl disable -q --now classroom-kiosk.service 2>/dev/null || true
  userdel classroom-kiosk 2>/dev/null || true
  rm -rf "$UNITS"/classroom-agent.target "$UNITS"/classroom-agent-*.service "$UNITS"/classroom-agent-*.service.d \
    "$UNITS/classroom-kiosk.service"
  systemctl daemon-reload
  rm -rf /opt/classroom-agent "$COMMAND" /run/classroom-agent
  rm -f /usr/lib/sysusers.d/classroom-agent.conf /usr/lib/tmpfiles.d/classroom-agent.conf
}

# Only what the program made, by name: the video folder may hold other people's files.
remove_evidence() {
  [[ -n $delete_evidence ]] || return 0
  rm -rf "${video:?}/segments" "${video:?}/log" "${video:?}"/log-???????????????? "${video:?}/snapshots" \
    "${video:?}/.classroom-agent-volume" "${video:?}/recorder.lock" "${video:?}"/.acceptance-*
  rm -rf "$STATE" "$CONFIG"
  userdel classroom-agent-ledger
  userdel classroom-agent
  say "已删除节点 $node 的录像、记录和密钥" "Deleted the footage, records and keys of node $node"
}

parse "$@"
check
remove_program
remove_evidence
if [[ -z $delete_evidence ]]; then
  say "程序已删除。保留：$STATE（记录、密钥、录像）、$CONFIG（配置）" \
    "The program is gone. Kept: $STATE (records, keys, footage), $CONFIG (settings)"
fi
