#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command for which the kernel refuses every connect(): deny_connect.py EACCES COMMAND...

A seccomp filter gives the errno that a firewall of this host (EPERM) or a prohibit route (EACCES)
gives, and needs no privilege, where nftables and routes do.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7fff0000
SECCOMP_RET_ERRNO = 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
AUDIT_ARCH_AND_CONNECT = {"x86_64": (0xC000003E, 42), "aarch64": (0xC00000B7, 203)}


def instruction(code, if_true, if_false, operand):
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def program(machine, number):
    arch, connect = AUDIT_ARCH_AND_CONNECT[machine]
    return b"".join((
        instruction(LOAD, 0, 0, 4),                    # seccomp_data.arch
        instruction(JUMP_IF_EQUAL, 0, 3, arch),
        instruction(LOAD, 0, 0, 0),                    # seccomp_data.nr
        instruction(JUMP_IF_EQUAL, 0, 1, connect),
        instruction(RETURN, 0, 0, SECCOMP_RET_ERRNO | number),
        instruction(RETURN, 0, 0, SECCOMP_RET_ALLOW)))


class SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install(number):
    code = program(platform.machine(), number)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = SockFprog(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(fprog), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    install(getattr(errno, sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
