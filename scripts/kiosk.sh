#!/usr/bin/env bash
# The browser of the screen at the door. Waits for the page, trusts its certificate's key alone, shows /kiosk.
# Run by classroom-kiosk.service; by hand on a desktop: scripts/kiosk.sh [PORT [BROWSER-OPTION…]]
set -euo pipefail

readonly PORT=${1:-8443}
(($# == 0)) || shift
readonly ADDRESS=127.0.0.1
readonly PROFILE=${TMPDIR:-/tmp}/classroom-kiosk

[[ $PORT =~ ^[0-9]{1,5}$ ]] || { echo "端口应为数字 / a port is a number: $PORT" >&2; exit 2; }

browser=""
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then browser=$name; break; fi
done
[[ -n $browser ]] || { echo "没有浏览器 / no browser: apt-get install chromium" >&2; exit 1; }

# SHA-256 of the page's public key, base64; empty while nothing answers.
pin() {
  openssl s_client -connect "$ADDRESS:$PORT" </dev/null 2>/dev/null |
    openssl x509 -pubkey -noout 2>/dev/null |
    openssl pkey -pubin -outform der 2>/dev/null |
    openssl dgst -sha256 -binary | base64
}

readonly NOTHING=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= # of no bytes at all
until key=$(pin) && [[ -n $key && $key != "$NOTHING" ]]; do
  echo "等待网页 / waiting for the page at $ADDRESS:$PORT" >&2
  sleep 2
done

platform=()
if [[ -n ${WAYLAND_DISPLAY:-} ]]; then platform=(--ozone-platform=wayland); fi
# A browser that was killed must not ask whether to restore its pages: its profile is made anew.
rm -rf "$PROFILE"
exec "$browser" "${platform[@]}" --kiosk --user-data-dir="$PROFILE" \
  --ignore-certificate-errors-spki-list="$key" \
  --no-first-run --noerrdialogs --disable-infobars --disable-pinch --overscroll-history-navigation=0 \
  --disable-background-networking --disable-component-update --disable-sync --disable-translate \
  --disable-features=Translate --password-store=basic --check-for-update-interval=31536000 \
  "$@" "https://$ADDRESS:$PORT/kiosk"
