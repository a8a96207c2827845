#!/usr/bin/env bash
# skep's main job on a real manifest: deploy it, roll it to a new version while a client keeps asking, and undo that.
# usage: examples/demo.sh PATH-TO-SKEP
set -euo pipefail
cd "$(dirname "$0")/.."

skep_binary=$(realpath "${1:?usage: examples/demo.sh PATH-TO-SKEP}")
work=$(mktemp -d /tmp/skep-demo.XXXXXX)
node=demo-$$
export SKEP_CONFIG=$work/config
up_pid=
client_pid=

say() { printf '\n\033[1;36m# %s\033[0m\n' "$*"; }
skep() { printf '\033[1m$ skep %s\033[0m\n' "$*"; "$skep_binary" "$@"; }
quiet() { "$skep_binary" "$@"; }

tidy_up() {
  trap - EXIT INT TERM
  [ -n "$client_pid" ] && kill "$client_pid" 2>/dev/null || true
  if [ -n "$up_pid" ] && kill -0 "$up_pid" 2>/dev/null; then
    quiet delete namespace production --timeout=60s >/dev/null 2>&1 || true
    kill "$up_pid" 2>/dev/null || true
    wait "$up_pid" 2>/dev/null || true
  fi
  docker ps -aq --filter "label=skep.io/node=$node" | xargs -r docker rm -f >/dev/null 2>&1 || true
  docker network ls -q --filter "label=skep.io/node=$node" | xargs -r docker network rm >/dev/null 2>&1 || true
  awk -v dir="$work/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | xargs -r -n1 umount -l 2>/dev/null || true
  rm -rf "$work"
}
trap tidy_up EXIT
trap 'exit 130' INT TERM

# An image from busybox alone: /health, /ready and /version on port 8080.
make_image() {
  local version=$1 root busybox
  root=$(mktemp -d "$work/image.XXXXXX")
  busybox=$(command -v busybox)
  mkdir -p "$root"/{bin,www,tmp,etc,dev,proc,sys}
  cp "$busybox" "$root/bin/busybox"
  for applet in sh httpd cat ls env wget kill sleep ps; do ln -s busybox "$root/bin/$applet"; done
  echo ok | tee "$root/www/health" >"$root/www/ready"
  echo "$version" >"$root/www/version"
  cat >"$root/start" <<'START'
#!/bin/sh
echo "api-gateway $(cat /www/version): $GREETING"
httpd -f -p 8080 -h /www &
trap 'kill $!; exit 0' TERM INT
wait $!
START
  chmod 755 "$root" "$root/start"
  tar -C "$root" -c . | docker import -c 'CMD ["/start"]' -c 'ENV PATH=/bin' - "registry.internal/api-gateway:$version" >/dev/null
}

# Asks a ready pod again and again; writes "version" or "lost" a line. Like any load balancer it tries the next pod once.
keep_asking() {
  local addresses answer address
  while :; do
    addresses=$(quiet get pods -n production -l app=api-gateway \
      -o 'jsonpath={range .items[?(@.status.phase=="Running")]}{.metadata.deletionTimestamp}|{.status.conditions[?(@.type=="Ready")].status}|{.status.podIP}{"\n"}{end}' |
      awk -F'|' '$1 == "" && $2 == "True" { print $3 }' | shuf)
    answer=lost
    for address in $(head -n 2 <<<"$addresses"); do
      answer=$(curl -sf --max-time 2 "http://$address:8080/version") && break
      answer=lost
    done
    echo "$answer" >>"$work/answers"
  done
}

asked() {
  sort "$work/answers" | uniq -c | awk '{ printf "%s%s: %d", (NR > 1 ? ", " : ""), $2, $1 } END { print "" }'
}

say "Two images, made here: no registry is asked"
make_image v2.1.0
make_image v2.2.0
docker images registry.internal/api-gateway

say "One machine becomes a cluster"
printf '\033[1m$ skep up --data-dir %s\033[0m\n' "$work/data"
"$skep_binary" up --data-dir "$work/data" --node-name "$node" --listen none --pod-cidr 10.231.0.0/16 >"$work/log" 2>&1 &
up_pid=$!
for _ in $(seq 1 300); do
  [ -e "$SKEP_CONFIG" ] && quiet wait --for=condition=Ready "node/$node" --timeout=30s >/dev/null 2>&1 && break
  kill -0 "$up_pid" 2>/dev/null || { cat "$work/log"; exit 1; }
  sleep 0.1
done
skep get nodes -o wide

say "A deployment with its namespace, configuration and secrets"
skep apply -f examples/api-gateway.yaml
skep rollout status deployment/api-gateway -n production --timeout=120s
skep get deployments,pods -n production -o wide
skep logs deployment/api-gateway -n production

say "A new version, never fewer than three ready, while a client keeps asking"
keep_asking &
client_pid=$!
skep set image deployment/api-gateway api-gateway=registry.internal/api-gateway:v2.2.0 -n production
skep rollout status deployment/api-gateway -n production --timeout=180s
skep rollout history deployment/api-gateway -n production

say "And back"
skep rollout undo deployment/api-gateway -n production
skep rollout status deployment/api-gateway -n production --timeout=180s
kill "$client_pid"
wait "$client_pid" 2>/dev/null || true
client_pid=
printf 'The client was answered by version, times: %s\n' "$(asked)"
lost=$(grep -c lost "$work/answers" || true)
[ "$lost" -eq 0 ] || { echo "$lost requests were lost"; exit 1; }
echo "No request was lost."
skep get pods -n production

say "What to try next"
cat <<TEXT
  skep describe deployment/api-gateway -n production    why it is as it is
  skep explain deployment.spec.strategy                 what a field means
  skep logs -f deployment/api-gateway -n production     what it writes
  skep exec -it deployment/api-gateway -n production -- sh
  skep events -n production                             what happened
  skep --help                                           everything else

On a machine of your own: \`skep up\` as root, then \`skep apply -f examples/api-gateway.yaml\`.
TEXT
if [ -t 0 ] && [ -t 1 ]; then
  printf '\nThe cluster still runs. In another terminal:\n  export SKEP_CONFIG=%s PATH=%s:$PATH\n' "$SKEP_CONFIG" "$(dirname "$skep_binary")"
  read -r -p "Enter ends the demo and removes everything it made. "
fi
