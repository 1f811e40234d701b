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
complete -c lattice-probe -n __lattice_probe_is_bare -a iam-policy -d "print the IAM policy that the agent's role needs"
complete -c lattice-probe -n __lattice_probe_is_bare -a alarms -d 'print CloudWatch alarms, for CloudFormation or Terraform'
complete -c lattice-probe -n __lattice_probe_is_bare -a dashboard -d 'print the body of a CloudWatch dashboard'
complete -c lattice-probe -n __lattice_probe_is_bare -a version -d 'show the version and the libraries in use'
complete -c lattice-probe -n __lattice_probe_is_bare -a help -d 'list the commands, or say how one is used'
complete -c lattice-probe -n __lattice_probe_is_bare -s h -l help -d 'list the commands'
complete -c lattice-probe -n __lattice_probe_is_bare -l version -d 'show the version'

complete -c lattice-probe -n '__lattice_probe_is run once diagnose status check-config iam-policy alarms dashboard' -s c -l config -r -F -d 'the configuration'
complete -c lattice-probe -n '__lattice_probe_is once diagnose status check-config version' -l json -d 'print JSON'
complete -c lattice-probe -n '__lattice_probe_is run once diagnose status check-config iam-policy alarms dashboard version' -s h -l help -d 'print a summary and end'
complete -c lattice-probe -n '__lattice_probe_is run' -l dry-run -d 'print each datum instead of sending it'
complete -c lattice-probe -n '__lattice_probe_is run' -l verbose -d 'log every run'
complete -c lattice-probe -n '__lattice_probe_is diagnose' -l verbose -d 'show every question, and what is masked otherwise'
complete -c lattice-probe -n '__lattice_probe_is diagnose' -l no-aws -d 'ask neither the control plane nor CloudWatch'
complete -c lattice-probe -n '__lattice_probe_is status' -l socket -r -F -d 'the socket itself'
complete -c lattice-probe -n '__lattice_probe_is status' -l watch -d 'again each second'
complete -c lattice-probe -n '__lattice_probe_is iam-policy' -l no-diagnose -d 'leave out what diagnose reads'
complete -c lattice-probe -n '__lattice_probe_is iam-policy dashboard' -l region -x -d 'the region'
complete -c lattice-probe -n '__lattice_probe_is alarms' -l format -x -a 'cloudformation terraform' -d 'the language'
complete -c lattice-probe -n '__lattice_probe_is alarms' -l availability -x -d 'the share of good runs below which it is bad'
complete -c lattice-probe -n '__lattice_probe_is alarms' -l latency -x -d 'the p90 above which it is bad'
complete -c lattice-probe -n '__lattice_probe_is alarms' -l certificate-days -x -d 'the days left below which it is bad'
complete -c lattice-probe -n '__lattice_probe_is alarms' -l failures -d 'alarms for the failure metrics too'
complete -c lattice-probe -n '__lattice_probe_is alarms dashboard' -l dimension -x -a 'AvailabilityZone= AvailabilityZoneId= VpcId= SubnetId= InstanceId=' -d 'the value of a dimension that only instances know'
complete -c lattice-probe -n '__lattice_probe_is alarms dashboard' -l part -x -d 'the Nth of M documents'

complete -c lattice-probe -n '__lattice_probe_is once diagnose' -a '(__lattice_probe_names)' -d 'configured probe'
complete -c lattice-probe -n '__lattice_probe_is help' -a 'run once diagnose status check-config iam-policy alarms dashboard version help'
