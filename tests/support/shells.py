# SPDX-License-Identifier: Apache-2.0
"""What bash, zsh and fish offer at the end of a line, asked of the real shells with our completions loaded.

candidates(shell, line, folder) gives a list in which nothing stands twice; `folder` is a place for files.
The program is found by the PATH of `env`.
"""

import os
import pathlib
import pty
import select
import subprocess
import time

ROOT = pathlib.Path(os.environ.get("LATTICE_PROBE_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
COMPLETIONS = ROOT / "packaging" / "completions"
TIMEOUT_S = 60

# Readline splits at = too (COMP_WORDBREAKS).
BASH = """
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
function=$(complete -p lattice-probe | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

FISH = "source $argv[1]; complete --do-complete=$argv[2]"

# Matches are taken where they are handed over, so that nothing is read off a terminal. What is called with
# -A, -O or -D only looks.
ZSH = """
PS1='ready>'
fpath=("$COMPLETIONS" $fpath)
autoload -Uz compinit
compinit -D -u
compadd() {
  if (( ! ${@[(I)-*[AOD]*]} )); then
    local -a found
    builtin compadd -O found "$@"
    print -rl -- $found >>"$CANDIDATES"
  fi
  builtin compadd "$@"
}
look() {
  zle list-choices
  print -r -- '(end)' >>"$CANDIDATES"
}
zle -N look
bindkey '^I' look
"""


def run(*words, env):
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=TIMEOUT_S)
    assert done.stderr == "", done.stderr
    return done.stdout.splitlines()


def of_bash(line, _folder, env):
    words = line.replace("=", " = ").split(" ") if "=" in line else line.split(" ")
    return run("bash", "--norc", "--noprofile", "-c", BASH, "bash", str(COMPLETIONS / "lattice-probe"), *words, env=env)


def of_fish(line, folder, env):
    lines = run("fish", "--no-config", "-c", FISH, str(COMPLETIONS / "lattice-probe.fish"), line,
                env={**env, "HOME": str(folder)})
    return [answer.partition("\t")[0] for answer in lines]


def of_zsh(line, folder, env):
    """An interactive zsh on a terminal of its own: its completion runs nowhere else."""
    found = folder / "candidates"
    found.write_text("", encoding="utf-8")
    (folder / ".zshrc").write_text(ZSH, encoding="utf-8")
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-d", "-i"], {**env, "ZDOTDIR": str(folder), "HOME": str(folder), "TERM": "dumb",
                                                "COMPLETIONS": str(COMPLETIONS), "CANDIDATES": str(found)})
    try:
        read_until(terminal, lambda shown: b"ready>" in shown)
        os.write(terminal, line.encode() + b"\t")
        read_until(terminal, lambda shown: "(end)\n" in found.read_text(encoding="utf-8"))
    finally:
        os.kill(child, 9)
        os.close(terminal)
        os.waitpid(child, 0)
    lines = found.read_text(encoding="utf-8").splitlines()
    # A pair of short and long option is shown on one line, whose other places are empty.
    return [answer for answer in lines if answer not in ("", "(end)")]


def read_until(terminal, holds):
    shown = b""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds(shown):
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.02)[0]:
            shown += os.read(terminal, 65536)


SHELLS = {"bash": of_bash, "fish": of_fish, "zsh": of_zsh}


def candidates(shell, line, folder, env):
    found = SHELLS[shell](line, folder, env)
    found = [answer for answer in found if answer]
    assert len(found) == len(set(found)), found
    return found
