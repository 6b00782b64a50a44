#!/usr/bin/env bash
# Builds the image where there is neither a Docker engine nor a registry, and starts what comes out. For root on Debian, with
#   apt-get install buildah podman crun mmdebstrap jq
# and a JDK 25 (JAVA_HOME, or the first one of /usr/lib/jvm). The Dockerfile is built as it is: the images that it starts from
# are made here, of Debian's packages and that JDK, under the very names that it gives them.
#
#   build-locally.sh bases     makes them
#   build-locally.sh build     builds the image
#   build-locally.sh try       starts it as a user without a name, read-only, without capabilities
#   build-locally.sh measure   start-up times with and without the AOT caches, memory, the size of each layer
#
# Without a word: all of it. Everything is kept in WORK (default /var/tmp/apportion-image).
set -euo pipefail
cd "$(dirname "$0")/../.."

WORK=${WORK:-/var/tmp/apportion-image}
SUITE=bookworm
PORT=${PORT:-18080}
version=$(sed -n 's/^ARG VERSION=//p' Dockerfile)
image=localhost/apportion:$version
jdk_name=$(sed -n 's/^ARG JDK=//p' Dockerfile)
base_name=$(sed -n 's/^ARG BASE=//p' Dockerfile)
mkdir -p "$WORK/tmp"
export TMPDIR=$WORK/tmp
storage=(--root "$WORK/storage" --runroot "$WORK/run" --storage-driver "${STORAGE_DRIVER:-overlay}")

say() { printf '\n== %s\n' "$*"; }

fail() {
    echo "build-locally: $*" >&2
    exit 1
}

builder() { buildah "${storage[@]}" "$@"; }

# crun takes no mixture of old and new control groups: then it sees none.
pod() {
    # shellcheck disable=SC2016
    unshare --mount sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"' sh \
        "${storage[@]}" --cgroup-manager cgroupfs --events-backend file "$@"
}

find_jdk() {
    local home
    for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
        if [ -x "$home/bin/jlink" ] && grep -q '^JAVA_VERSION="25' "$home/release"; then
            readlink -f "$home"
            return
        fi
    done
    fail "no JDK 25"
}

bases() {
    say "$base_name: a C library, time zones, names, and no program"
    local root container mounted
    root=$WORK/base
    rm -rf "$root"
    mmdebstrap --quiet --variant=extract --include=base-files,libc6,netbase,tzdata "$SUITE" "$root"
    rm -rf "$root"/usr/{bin,sbin,games,lib/apt}/* "$root"/{bin,sbin}/* "$root"/var/{cache,lib/{apt,dpkg}} "$root"/etc/apt \
        "$root"/usr/share/{doc,man,locale,bash-completion,lintian,info} "$root"/etc/resolv.conf
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    container=$(builder from --pull-never scratch)
    mounted=$(builder mount "$container")
    cp -a "$root/." "$mounted/"
    builder umount "$container" >/dev/null
    builder config --user 65532 --workingdir /home/nonroot "$container"
    builder commit --quiet --rm "$container" "$base_name"

    say "$jdk_name: Debian's minimum, the programs that image has, and $(find_jdk)"
    root=$WORK/jdk
    rm -rf "$root"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,curl,wget,binutils,tzdata "$SUITE" "$root"
    mkdir -p "$root/opt/java"
    # Whom this machine trusts, they trust: its links into /etc are files there.
    cp -aL "$(find_jdk)" "$root/opt/java/openjdk"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    container=$(builder from --pull-never scratch)
    mounted=$(builder mount "$container")
    cp -a "$root/." "$mounted/"
    builder umount "$container" >/dev/null
    builder config --env JAVA_HOME=/opt/java/openjdk \
        --env PATH=/opt/java/openjdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env LANG=C.UTF-8 "$container"
    builder commit --quiet --rm "$container" "$jdk_name"
}

build() {
    say "the Dockerfile"
    # What Maven has already fetched here need not be fetched again.
    local cache=$TMPDIR/buildah-cache/apportion-m2
    if [ ! -d "$cache" ] && [ -d ~/.m2/repository ]; then
        mkdir -p "$cache"
        cp -a ~/.m2/repository ~/.m2/wrapper "$cache/"
    fi
    builder bud --isolation chroot --format docker --pull-never --layers \
        --build-arg "REVISION=$(git rev-parse HEAD)" --tag "$image" .
}

# As the composed servers run; ports are this machine's.
confined=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --network host
    --cgroups disabled --ulimit nofile=16384:16384 --ulimit nproc=4096:4096)
at=(--server.address=127.0.0.1 --server.port="$PORT")

remove() { pod rm --force --time 30 --volumes "$@" >/dev/null 2>&1 || true; }

is_running() {
    [ "$(pod inspect --format '{{.State.Running}}' "$1")" = true ] || { pod logs "$1" && fail "$1 ended"; }
}

# By the image's own check.
await_health() {
    local tries=1
    until pod healthcheck run "$1" >/dev/null 2>&1; do
        is_running "$1"
        tries=$((tries + 1))
    done
    echo "healthy, asked $tries times"
}

try() {
    trap 'remove apportion-server apportion-agent' EXIT
    remove apportion-server apportion-agent
    local api=http://127.0.0.1:$PORT/api/v1 container mounted admin token
    # Without it a cache that does not fit is passed over in silence; with it that is the end.
    local strict=JDK_JAVA_OPTIONS=-XX:AOTMode=on

    say "programs: none is a shell"
    container=$(builder from --pull-never "$image")
    mounted=$(builder mount "$container")
    find "$mounted" -xdev -type f -perm /111 -not -name '*.so' -not -name '*.so.*' -printf '/%P\n' | sort
    [ -z "$(find "$mounted" -xdev \( -name '*sh' -o -name busybox \) -perm /111 -not -type d -print -quit)" ] || fail "a shell"
    builder rm "$container" >/dev/null

    say "the server: user 10001, read-only, no capabilities; H2; its AOT cache has to fit"
    pod run --name apportion-server --detach "${confined[@]}" --env "$strict" "$image" server "${at[@]}" >/dev/null
    await_health apportion-server
    pod inspect --format 'user {{.Config.User}}, read-only {{.HostConfig.ReadonlyRootfs}}' apportion-server
    grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(pod inspect --format '{{.State.Pid}}' apportion-server)/status"
    ! pod exec apportion-server health http://127.0.0.1:1/ || fail "healthy where nobody is"
    admin=$(pod exec apportion-server token create --name try --role admin --server "http://127.0.0.1:$PORT")
    curl -sf -X PUT "$api/hosts/lpar1" -H "Authorization: Bearer $admin" -H 'Content-Type: application/json' -d '{}' -o /dev/null

    say "the agent's dry run, on a machine without AP: as root"
    pod run --rm "${confined[@]}" --user 0 --env "$strict" --volume /etc/machine-id:/etc/machine-id:ro "$image" agent --once --dry-run

    say "the agent, reporting to that server; its AOT cache has to fit"
    token=$(pod exec apportion-server token create --name lpar1 --role agent --host lpar1 --server "http://127.0.0.1:$PORT")
    install -m 600 /dev/stdin "$WORK/agent-token" <<<"$token"
    pod run --name apportion-agent --detach "${confined[@]}" --user 0 --env "$strict" --tmpfs /run/lock \
        --tmpfs /var/lib/apportion-agent --volume /etc/machine-id:/etc/machine-id:ro \
        --volume "$WORK/agent-token:/etc/apportion/agent-token:ro" "$image" agent \
        --apportion.agent.server="http://127.0.0.1:$PORT" --apportion.agent.host=lpar1 >/dev/null
    until curl -sf "$api/hosts/lpar1" -H "Authorization: Bearer $admin" | tee "$WORK/host" | grep -q '"connected":true'; do
        is_running apportion-agent
    done
    grep -o '"agent":{[^}]*}' "$WORK/host"
    pod logs apportion-agent

    say "each is told to stop, and stops"
    pod stop --time 40 apportion-agent apportion-server
    pod inspect --format '{{.Name}} ended with {{.State.ExitCode}}' apportion-agent apportion-server
    remove apportion-server apportion-agent

    say "a server whose cache does not fit (an empty file) starts all the same, but not where it has to fit"
    local unfit=(--volume /dev/null:/opt/apportion/server.aot:ro)
    ! pod run --rm "${confined[@]}" "${unfit[@]}" --env "$strict" "$image" server "${at[@]}" || fail "it need not fit"
    pod run --name apportion-server --detach "${confined[@]}" "${unfit[@]}" "$image" server "${at[@]}" >/dev/null
    await_health apportion-server
    remove apportion-server
}

# start OPTIONS ROLE WORD...: as in a container, of the mounted image, without what a container runtime takes to start one.
start() {
    local options=$1
    shift
    # shellcheck disable=SC2016
    exec unshare --mount --pid --fork --kill-child bash -c '
        root=$1 options=$2
        shift 2
        mount --bind /dev "$root/dev"
        mount --bind /sys "$root/sys"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmp "$root/tmp"
        mount -t tmpfs -o mode=700,uid=10001,gid=10001 data "$root/var/lib/apportion"
        exec env -i PATH=/opt/apportion/bin:/opt/jre/bin LANG=C.UTF-8 JDK_JAVA_OPTIONS="$options" \
            SPRING_CONFIG_ADDITIONAL_LOCATION=optional:file:/opt/apportion/config/,optional:file:/etc/apportion/ \
            /usr/sbin/chroot --userspec=10001:10001 "$root" "$@"' bash "$mounted" "$options" "$@"
}

# Median, least and greatest of the numbers.
spread() { sort -n | awk '{v[NR] = $1} END {printf "%.2f (%.2f-%.2f)", v[int((NR + 1) / 2)], v[1], v[NR]}'; }

measure() {
    local runs=${RUNS:-5} mode line process java ready
    local container
    container=$(builder from --pull-never "$image")
    mounted=$(builder mount "$container")
    # shellcheck disable=SC2064
    trap "builder rm $container >/dev/null" EXIT
    rm -f "$WORK"/figures.*
    say "$runs starts each, in turn, on $(nproc) processors; load of the machine before: $(cut -d ' ' -f 1 /proc/loadavg)"
    for _ in $(seq "$runs"); do
        for mode in on off; do
            exec 3< <(start "-XX:AOTMode=$mode -XX:+UseSerialGC -XX:MaxRAM=1g" server "${at[@]}" \
                --apportion.data=/var/lib/apportion/data 2>&1)
            process=$!
            ready=
            while read -r -u 3 line; do
                case $line in *"Started ServerApplication"*) ready=$line && break ;; esac
            done
            [ -n "$ready" ] || fail "the server ended"
            java=$(pgrep -P "$process")
            sed 's/.*process running for \([0-9.]*\).*/\1/' <<<"$ready" >>"$WORK/figures.server.$mode.seconds"
            awk -v hz="$(getconf CLK_TCK)" '{print ($14 + $15) / hz}' "/proc/$java/stat" >>"$WORK/figures.server.$mode.processor"
            awk '/^VmRSS/ {print $2 / 1024}' "/proc/$java/status" >>"$WORK/figures.server.$mode.resident"
            kill "$java"
            cat <&3 >/dev/null
            exec 3<&-
            wait "$process" || true
            TIMEFORMAT='%R %U %S'
            { time { (start "-XX:AOTMode=$mode -Xms16m -Xmx96m" agent --once --dry-run \
                --apportion.agent.machine-id=/proc/sys/kernel/random/boot_id) >/dev/null 2>&1; }; } 2>"$WORK/time"
            awk '{print $1}' "$WORK/time" >>"$WORK/figures.agent.$mode.seconds"
            awk '{print $2 + $3}' "$WORK/time" >>"$WORK/figures.agent.$mode.processor"
        done
    done
    printf '| | AOT cache | seconds | processor, s | resident, MB |\n|---|---|---:|---:|---:|\n'
    for mode in on off; do
        printf '| server, start to ready | %s | %s | %s | %s |\n' "$mode" "$(spread <"$WORK/figures.server.$mode.seconds")" \
            "$(spread <"$WORK/figures.server.$mode.processor")" "$(spread <"$WORK/figures.server.$mode.resident")"
    done
    for mode in on off; do
        printf '| agent, a whole dry run | %s | %s | %s | |\n' "$mode" "$(spread <"$WORK/figures.agent.$mode.seconds")" \
            "$(spread <"$WORK/figures.agent.$mode.processor")"
    done
    say "layers, from the last to the first"
    pod history --no-trunc --format '{{.Size}} {{.CreatedBy}}' "$image" | grep -v '^0 B' | cut -c 1-150
    rm -rf "$WORK/oci"
    builder push --quiet "$image" "oci:$WORK/oci" >/dev/null
    say "the same as a registry holds them, from the first to the last"
    jq -r '.manifests[0].digest' "$WORK/oci/index.json" | sed "s|sha256:|$WORK/oci/blobs/sha256/|" |
        xargs jq -r '.layers[] | "\(.size / 1e6 * 10 | round / 10) MB"'
}

case ${1:-all} in
    bases | build | try | measure) "$1" ;;
    all)
        bases
        build
        try
        measure
        ;;
    *) fail "bases, build, try or measure" ;;
esac
