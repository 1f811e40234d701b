# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian systems in folders, for tests that need another one than this machine's; to be sourced. All
# needs root; mounts belong into a namespace of the caller's own (unshare --mount), and go with it.

# The mirror that this machine's apt uses; nothing where that is not one of Debian.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    grep -m 1 -E '/debian/?$' || true
}

# make_root SUITE FOLDER [OPTION…]: a small Debian in the empty FOLDER, with debootstrap's OPTIONs.
# It reaches the mirror as this machine does, and does not wait for its disk.
make_root() {
  local suite=$1 folder=$2 url
  shift 2
  url=$(debian_mirror)
  # Without a Debian mirror of our own debootstrap takes its default.
  debootstrap --variant=minbase "$@" "$suite" "$folder" ${url:+"$url"}
  cp -L /etc/resolv.conf "$folder/etc/resolv.conf"
  apt-config dump | grep -E '^Acquire::.*[Pp]roxy' >"$folder/etc/apt/apt.conf.d/99proxy" || true
  echo force-unsafe-io >"$folder/etc/dpkg/dpkg.cfg.d/throwaway"
}

# Mounts what programs in there expect of a kernel.
mount_kernel() {
  mount -t proc proc "$1/proc"
  mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$1/dev/pts"
  mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"
}

# in_root FOLDER COMMAND…: runs it in there as root, with an environment of its own.
in_root() {
  local folder=$1
  shift
  chroot "$folder" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent \
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
