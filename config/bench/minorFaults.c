/*
 * Takes minor page faults of this machine's kernel: touches anonymous pages that were never touched, and prints how many nanoseconds one fault took,
 * one line for each round. `svmsim bench fault` compiles it with gcc and compares.
 *
 * Usage: minorFaults PAGES ROUNDS
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	long pages = argc > 1 ? atol(argv[1]) : 16384;
	long rounds = argc > 2 ? atol(argv[2]) : 9;
	long page_bytes = sysconf(_SC_PAGESIZE);

	/* The first round warms up and is not printed. */
	for (long round = -1; round < rounds; round++) {
		volatile char *memory = mmap(NULL, pages * page_bytes, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		double start;

		if (memory == MAP_FAILED)
			return 1;
		/* One fault for each page, however large the kernel's folios are. */
		madvise((void *)memory, pages * page_bytes, MADV_NOHUGEPAGE);
		start = now_ns();
		for (long page = 0; page < pages; page++)
			memory[page * page_bytes] = 1;
		if (round >= 0)
			printf("%.1f\n", (now_ns() - start) / pages);
		munmap((void *)memory, pages * page_bytes);
	}
	return 0;
}
