/* SPDX-License-Identifier: Apache-2.0 */
/* nearest: the word that a misspelt one was meant to be, for "did you mean". Pure. */
#ifndef LATTICE_PROBE_NEAREST_H
#define LATTICE_PROBE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_WORD_SIZE 64 /* a longer word is near to nothing */

/* Letters to insert, drop, change or swap to make one of the other, at most limit + 1. */
unsigned nearest_distance(const char *a, const char *b, unsigned limit);

/* How far a word of that length may be off and still be meant. */
unsigned nearest_limit(size_t length);

/* The word of "a|b|c" that is meant, copied to ret_word; false when none comes near. */
bool nearest_word(const char *word, const char *words, char ret_word[static NEAREST_WORD_SIZE]);

#endif
