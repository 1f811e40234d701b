/* SPDX-License-Identifier: Apache-2.0 */
/* alloc_fault: makes the Nth allocation of this thread fail. Ours are caught at the linker
 * (-Wl,--wrap), so this works under a sanitizer too; curl's, c-ares's, jansson's and OpenSSL's by the
 * hooks these libraries have. libuv aborts in some places rather than fail, and PCRE2 and zlib are
 * given no hooks: theirs always succeed. */
#ifndef ALLOC_FAULT_H
#define ALLOC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* Hands the hooks to the libraries; first thing in main. */
void alloc_fault_start(void);

enum alloc_fault { /* whose allocation: one when told, or several in a set */
	ALLOC_FAULT_NONE = 0,
	ALLOC_FAULT_OURS = 1 << 0,
	ALLOC_FAULT_CURL = 1 << 1,
	ALLOC_FAULT_LIBRARY = 1 << 2, /* any other of the three */
	ALLOC_FAULT_ANY = ALLOC_FAULT_OURS | ALLOC_FAULT_CURL | ALLOC_FAULT_LIBRARY
};

/* The nth allocation of these from now on fails, once; 1 is the next. */
void alloc_fault_arm(uint64_t nth, unsigned whose);

/* No allocation fails any more; says whether one did, and whose it was. */
enum alloc_fault alloc_fault_disarm(void);

#endif
