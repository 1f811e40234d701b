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

/* What an attempt must do when an allocation of ours failed it: report that, or it may go on without,
 * as with a cache that stays empty. */
enum alloc_fault_report { ALLOC_FAULT_REPORTED, ALLOC_FAULT_SURVIVED };

/* Runs an attempt once without a fault, so that what libraries set up once and keep is there; then
 * with its first allocation failing, its (1 + stride)th, …, until it makes fewer. An attempt returns
 * true when it had all it wanted, and cleans up behind itself either way. Fails cmocka's test. */
void alloc_fault_sweep(bool (*attempt)(void), unsigned whose, enum alloc_fault_report report, unsigned stride);

/* The test NAME_survives, that sweeps NAME. */
#define ALLOC_FAULT_TEST(name, whose, report)                  \
	static void name##_survives(void **state)              \
	{                                                      \
		(void)state;                                   \
		alloc_fault_sweep(name, whose, report, 1);     \
	}

#endif
