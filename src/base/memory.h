/* malloc and its like for a program that does not outlive running out of memory: each ends the
 * process with a line on stderr instead of returning NULL. What they give is freed by free(). */
#pragma once

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *memory, size_t size) __attribute__((returns_nonnull));

/* What they do when there is none; also for sizes that overflow. */
void out_of_memory(void) __attribute__((noreturn, cold));
