/* SPDX-License-Identifier: Apache-2.0 */
/* err: our own trouble, as small negative numbers.
 * A function that can fail for our reasons returns 0 or one of these. What the world answers
 * (a timeout, NXDOMAIN, a 503) is never an error: it is an enum outcome inside a result. */
#ifndef LATTICE_PROBE_ERR_H
#define LATTICE_PROBE_ERR_H

enum err {
	ERR_NOMEM = -1,       /* memory is gone */
	ERR_NOFD = -2,        /* no file descriptor left (EMFILE, ENFILE) */
	ERR_SYNTAX = -3,      /* the text is not what the grammar asks for */
	ERR_RANGE = -4,       /* well formed, but outside what is allowed */
	ERR_LIMIT = -5,       /* a ceiling of ours was reached */
	ERR_NOT_FOUND = -6,   /* the thing asked for is not there */
	ERR_DENIED = -7,      /* permission refused */
	ERR_TIMEOUT = -8,     /* a deadline of ours passed */
	ERR_IO = -9,          /* the system refused a read, write or socket call */
	ERR_CRYPTO = -10,     /* OpenSSL failed */
	ERR_UNREACHABLE = -11,/* an endpoint of ours (IMDS, CloudWatch) did not answer */
	ERR_PROTOCOL = -12,   /* an endpoint of ours answered something that makes no sense */
	ERR_CANCELLED = -13,  /* stopped by us before its end */
	ERR_UNSUPPORTED = -14 /* this build or this kernel cannot do it */
};

/* Words for an enum err; "success" for 0, "unknown error" for anything else. Static text. */
const char *err_text(int err);

#endif
