# SPDX-License-Identifier: Apache-2.0
"""The tables the lints hold the tree to. An exception stands here with its reason, or not at all."""

# Rooms from the bottom up; a room includes only headers of its own and of lower rows.
LEVELS = (
    ("base",),
    ("model",),
    ("config", "schedule", "aggregate", "net"),
    ("aws", "store"),
    ("probe", "sink"),
    ("diagnose",),
    ("agent", "generate"),
    ("cli",),
)

# A header belongs to the room where the .c of its name lives; one without goes here, with its room.
HEADER_ROOMS = {
    "control_facts.h": "diagnose",  # shared by control_lattice, control_ec2, control_rules, control_claims
}

# Folders that the tarball takes as they are.
WHOLE_FOLDERS = {"tests/fuzz/corpus", "tests/lab/faults"}

# foo.c exports foo and foo_*. Further prefixes, or whole names, each with the reason.
EXPORTS = {
    "src/base/parse.c": ("address_",),            # union address is declared in parse.h
    "src/base/units.c": ("mono_", "wall_"),       # the two kinds of instant are the module
    "src/diagnose/address_class.c": ("address_networks_",),  # what an address is looked up in
    "src/diagnose/story_advice.c": ("story_advise",),  # declared in story.h
    "src/diagnose/story_json.c": ("story_to_json",),
    "src/diagnose/story_text.c": ("story_",),     # the words every part of the story is written with
    "src/diagnose/control_ec2.c": ("control_groups_done",),  # frees what it reads into
    "src/model/datum.c": ("dimension_set_",),     # a part of every datum, declared in datum.h
    "src/model/result.c": ("phase_",),            # enum phase is declared in result.h
    "src/model/result_json.c": ("result_to_json",),
    "src/sink/cloudwatch.c": ("sink_cloudwatch_",),  # one kind of sink, declared in sink.h
    "src/sink/cloudwatch_encode.c": ("cloudwatch_check", "cloudwatch_gzip"),
    "src/store/store_ask.c": ("store_",),         # what is asked of a store, declared in store.h
    "src/sink/json.c": ("sink_json_",),           # the other kind
}

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60

# Files longer than that, each with the reason.
LONG_FILES = {
    "tests/unit/test_sigv4.c": "published examples, written out",
}

# Functions longer than that, each with the reason.
LONG_FUNCTIONS = {
}

# Never called: name -> what to use instead.
BANNED_CALLS = {
    "strcpy": "snprintf or buf",
    "strcat": "buf_append_text",
    "strncpy": "snprintf or memcpy",
    "strncat": "buf_append",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "atoi": "parse_int64",
    "atol": "parse_int64",
    "atoll": "parse_int64",
    "atof": "strtod with an end pointer",
    "strtok": "strcspn and memchr",
    "gmtime": "gmtime_r, in units.c",
    "localtime": "gmtime_r, in units.c; nothing here is local time",
    "ctime": "wall_format_rfc3339",
    "asctime": "wall_format_rfc3339",
    "rand": "a seed given by the caller",
    "srand": "a seed given by the caller",
    "random": "a seed given by the caller",
    "system": "posix_spawn",
    "popen": "posix_spawn",
    "alloca": "buf, or an array of known size",
    "getaddrinfo": "resolver: libc's blocks the loop",
    "gethostbyname": "resolver: libc's blocks the loop",
    "gethostbyname2": "resolver: libc's blocks the loop",
    "time": "wall_now or mono_now",
    "gettimeofday": "wall_now or mono_now",
    "clock_gettime": "wall_now or mono_now",
    "uv_now": "mono_now: uv_now is as old as the turn of the loop",
}

# Where a banned call may stand after all: (file, name) -> reason.
BANNED_EXCEPT = {
    ("src/base/units.c", "clock_gettime"): "the one reader of both clocks",
    ("src/model/target_pattern.c", "clock_gettime"): "CPU time of the thread, which is no instant",
}
