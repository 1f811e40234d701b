# SPDX-License-Identifier: Apache-2.0
"""A Debian under its own systemd, as the machine of a consumer VPC: systemd-nspawn in a lab's namespace.

Its root is an overlay over a system that others share; what it writes goes with it. It sees the lab as an
instance sees its VPC: the resolver, the metadata service, CloudWatch, and the firmware's strings. The
process of systemd-nspawn dies with the one that started it, and the machine with systemd-nspawn.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import bending
import laboratory

BOOT_TIMEOUT_S = 60
HALT_TIMEOUT_S = 30
WAIT_S = 40
CA = "/usr/local/share/lab-ca.pem"
IDENTITY = "/usr/local/share/lab-class"
LUGGAGE = "/usr/local/share/lab-luggage"
# What a login shell of root has; nothing of the caller's.
ENVIRONMENT = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
               "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
# A control group of its own in each hierarchy that systemd manages units in: two machines in one would
# take each other's units for theirs. Then systemd-nspawn, which is not to outlive us.
START = """
for folder in $FOLDERS; do
  mkdir -p "$folder"
  echo $$ >"$folder/cgroup.procs"
done
exec setpriv --pdeathsig=KILL "$@"
"""


class Machine:
    """layers: the folders that make its system, uppermost first; folder: a new one of its own; lab: where it
    stands."""

    def __init__(self, name, layers, folder, lab):
        self.name, self.layers, self.folder, self.lab = name, layers, pathlib.Path(folder), lab
        self.root = self.folder / "root"
        self.groups = [f"{mount}/lattice-probe-{name}" for mount in unit_hierarchies()]
        self.supervisor = None
        self.init = None

    # -- from nothing to nothing

    def __enter__(self):
        for each in ("upper", "work", "root"):
            (self.folder / each).mkdir(parents=True)
        lower, upper, work = ":".join(map(str, self.layers)), self.folder / "upper", self.folder / "work"
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        laboratory.run("mount", "-t", "overlay", "overlay", "-o", options, self.root)
        self.write("/etc/resolv.conf", "".join(f"nameserver {each}\n" for each in bending.NAMESERVERS))
        self.write(CA, self.lab.ca.read_text(encoding="utf-8"))
        self.path(LUGGAGE).mkdir(parents=True)
        shutil.copytree(self.lab.folder / "class", self.root / IDENTITY.lstrip("/"))
        return self

    def __exit__(self, *_):
        self.halt()
        laboratory.run("umount", self.root, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def boot(self):
        """Returns once everything that starts at boot has started."""
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no",
                   "--resolv-conf=off", f"--network-namespace-path=/run/netns/{self.lab.room('consumer')}", f"--machine={self.name}",
                   f"--directory={self.root}", "--boot", "--console=pipe"]
        with open(self.folder / "console.log", "a", encoding="utf-8") as log:
            self.supervisor = subprocess.Popen(
                ["sh", "-ec", START, "sh", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "FOLDERS": " ".join(self.groups)}, start_new_session=True)
        self.init = wait_for(self._find_init, "the machine's first process", BOOT_TIMEOUT_S)
        wait_for(self._has_booted, "the machine to have booted", BOOT_TIMEOUT_S)
        # As lab exec shows it: the firmware of an EC2 instance.
        self.run("mount", "-t", "overlay", "-o", f"lowerdir={IDENTITY}:/sys/class", "overlay", "/sys/class")

    def _find_init(self):
        """The process that is number 1 in there: what systemd-nspawn started, once it has a namespace."""
        if self.supervisor.poll() is not None:
            raise RuntimeError(f"{self.name} does not boot:\n{self.console()}")
        for pid in subprocess.run(["pgrep", "-P", str(self.supervisor.pid)], capture_output=True, text=True,
                                  check=False).stdout.split():
            with contextlib.suppress(OSError):
                numbers = re.search(r"^NSpid:(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
                if numbers.group(1).split()[1:] == ["1"]:
                    return int(pid)
        return None

    def _has_booted(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def halt(self):
        """Powers off, as an administrator does; then nothing of it runs."""
        if self.supervisor is not None:
            self.supervisor.send_signal(signal.SIGTERM)
            try:
                self.supervisor.wait(HALT_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.supervisor.kill()
                self.supervisor.wait()
        self.supervisor = self.init = None
        for group in self.groups:
            laboratory.run("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";", check=False)

    def console(self):
        return (self.folder / "console.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    # -- commands and files in there

    def run(self, *command, check=True, user=None):
        """Runs a command in there to its end, as root or as another user of that machine."""
        enter = ["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                 "--root", "--wd", *ENVIRONMENT]
        if user is not None:
            enter += ["runuser", "-u", user, "--"]
        done = subprocess.run([*enter, *map(str, command)], capture_output=True, text=True, errors="replace",
                              check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def say(self, *command, user=None):
        """What a command that must succeed prints, without the last newline."""
        return self.run(*command, user=user).stdout.rstrip("\n")

    def path(self, path):
        """Where a file of that machine is for us; not below /run, /tmp, /proc, /sys and /dev."""
        return self.root / str(path).lstrip("/")

    def write(self, path, text):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text, encoding="utf-8")

    def read(self, path):
        return self.path(path).read_text(encoding="utf-8")

    def bring(self, file):
        """Copies a file of ours into LUGGAGE there; returns its name there."""
        there = pathlib.PurePath(LUGGAGE) / pathlib.Path(file).name
        shutil.copyfile(file, self.path(there))
        return there

    def files(self, *folders):
        """Everything below these folders, and what it is: {path: "f", "d", "l", …}."""
        lines = self.say("find", *folders, "-printf", "%y %p\\n").splitlines()
        return {path: kind for kind, _, path in (line.partition(" ") for line in lines)}

    def mode(self, path):
        """As stat prints it: "640 root:lattice-probe"."""
        return self.say("stat", "-c", "%a %U:%G", path)

    def programs(self):
        """The names of all that runs in there."""
        return self.say("sh", "-c", "cat /proc/[0-9]*/comm").splitlines()

    # -- units

    def property(self, name, unit="lattice-probe"):
        return self.say("systemctl", "show", "--property", name, "--value", unit)

    def pid(self, unit="lattice-probe"):
        """The main process's number in there; None when there is none."""
        return int(self.property("MainPID", unit)) or None

    def kill(self, signal_name, pid):
        """By the shell's own kill: a small Debian has no other."""
        self.run("sh", "-ec", f"kill -{signal_name} {pid}")

    def journal(self, *words, unit="lattice-probe", since_us=0):
        """What the unit, and systemd about it, said since an instant (wall clock)."""
        return self.say("journalctl", "--no-pager", "--quiet", "--output=cat", "--unit", unit,
                        f"--since=@{since_us / 1e6:.6f}", *words)


def unit_hierarchies():
    """Where systemd in a machine makes control groups: the unified hierarchy, and its own older one."""
    lines = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    for _, place, kind, options, *_ in (line.split() for line in lines):
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            yield place


def wait_for(claim, what, seconds=WAIT_S):
    """The first true value of claim(); RuntimeError when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := claim()):
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)
    return value


def now_us():
    """The wall clock: of this machine, of all in it, and of the gate's ledger."""
    return time.time_ns() // 1000
