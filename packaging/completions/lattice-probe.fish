# SPDX-License-Identifier: Apache-2.0
# Completion of lattice-probe in fish.

# The names of the configured probes: of the file behind -c, where there is one on the line. Nothing when
# the configuration cannot be read.
function __lattice_probe_names
    set -l words (commandline -opc)
    set -l conf
    for i in (seq 2 (count $words))
        switch $words[$i]
            case -c --config
                set -q words[(math $i + 1)]; and set conf -c $words[(math $i + 1)]
            case '--config=*'
                set conf -c (string replace -- --config= '' $words[$i])
        end
    end
    $words[1] check-config --json $conf 2>/dev/null | string replace -rf '^ *"probe": "([A-Za-z0-9._-]*)",$' '$1'
end

# Whether the command is yet to be written.
function __lattice_probe_is_bare
    test (count (commandline -opc)) -eq 1
end

# Whether the command is one of these.
function __lattice_probe_is
    set -l words (commandline -opc)
    set -q words[2]; and contains -- $words[2] $argv
end

complete -c lattice-probe -f
complete -c lattice-probe -n __lattice_probe_is_bare -a run -d 'probe on schedule and push metrics to CloudWatch'
complete -c lattice-probe -n __lattice_probe_is_bare -a once -d 'run probes or URLs now, once, and show the results'
complete -c lattice-probe -n __lattice_probe_is_bare -a diagnose -d 'say why one probe or URL does not answer from here'
complete -c lattice-probe -n __lattice_probe_is_bare -a status -d 'ask the running agent what it sees'
complete -c lattice-probe -n __lattice_probe_is_bare -a check-config -d 'read the configuration; print mistakes, or metrics and cost'
complete -c lattice-probe -n __lattice_probe_is_bare -a version -d 'show the version and the libraries in use'
complete -c lattice-probe -n __lattice_probe_is_bare -a help -d 'list the commands, or say how one is used'
complete -c lattice-probe -n __lattice_probe_is_bare -s h -l help -d 'list the commands'
complete -c lattice-probe -n __lattice_probe_is_bare -l version -d 'show the version'

complete -c lattice-probe -n '__lattice_probe_is run once diagnose status check-config' -s c -l config -r -F -d 'the configuration'
complete -c lattice-probe -n '__lattice_probe_is once diagnose status check-config version' -l json -d 'print JSON'
complete -c lattice-probe -n '__lattice_probe_is run once diagnose status check-config version' -s h -l help -d 'print a summary and end'
complete -c lattice-probe -n '__lattice_probe_is run' -l dry-run -d 'print each datum instead of sending it'
complete -c lattice-probe -n '__lattice_probe_is run' -l verbose -d 'log every run'
complete -c lattice-probe -n '__lattice_probe_is diagnose' -l verbose -d 'show every question, and what is masked otherwise'
complete -c lattice-probe -n '__lattice_probe_is diagnose' -l no-aws -d 'ask neither the control plane nor CloudWatch'
complete -c lattice-probe -n '__lattice_probe_is status' -l socket -r -F -d 'the socket itself'
complete -c lattice-probe -n '__lattice_probe_is status' -l watch -d 'again each second'

complete -c lattice-probe -n '__lattice_probe_is once diagnose' -a '(__lattice_probe_names)' -d 'configured probe'
complete -c lattice-probe -n '__lattice_probe_is help' -a 'run once diagnose status check-config version help'
