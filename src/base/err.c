/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/err.h"

const char *err_text(int err)
{
	switch (err) {
	case 0: return "success";
	case ERR_NOMEM: return "out of memory";
	case ERR_NOFD: return "out of file descriptors";
	case ERR_SYNTAX: return "syntax error";
	case ERR_RANGE: return "out of range";
	case ERR_LIMIT: return "limit reached";
	case ERR_NOT_FOUND: return "not found";
	case ERR_DENIED: return "permission denied";
	case ERR_TIMEOUT: return "timed out";
	case ERR_IO: return "input/output error";
	case ERR_CRYPTO: return "cryptographic operation failed";
	case ERR_UNREACHABLE: return "unreachable";
	case ERR_PROTOCOL: return "protocol error";
	case ERR_CANCELLED: return "cancelled";
	case ERR_UNSUPPORTED: return "not supported here";
	default: return "unknown error";
	}
}
