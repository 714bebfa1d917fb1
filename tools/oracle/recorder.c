/*
 * Carries out sequences of memory operations on a running Linux with its test_hmm driver, and prints what each of them gave. It is the first and only
 * program of a small virtual machine that tools/oracle/recordCases.ts starts; the operations come in /cases, the results go to the second serial port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PAGE_BYTES = 4096,
	PAGE_DWORDS = PAGE_BYTES / 4,
	PAGES_MAX = 2048,
	BUFFERS_MAX = 16,
	DEVICES_MAX = 2,
	FILES_MAX = 4,
	REPLY_BYTES = 1 << 18,
	/* Units 0 and 1 have private memory, 2 and 3 coherent memory. */
	FIRST_COHERENT_UNIT = 2,
	SWAP_PAGES = 1 << 14,
};

/* Buffers are far from each other, so that areas of two never become one. */
static const uintptr_t FIRST_BUFFER = 0x100000000000;
static const uintptr_t BUFFER_DISTANCE = 1UL << 30;
static const uintptr_t PORT = 0x200000000000;

struct command {
	uint64_t addr, ptr, npages, cpages, faults;
};
enum { READ, WRITE, TO_DEVICE, TO_SYSTEM, SNAPSHOT, EXCLUSIVE, CHECK_EXCLUSIVE, RELEASE };

/* What the kernel's gup_test driver takes. */
struct pin_request {
	uint64_t get_usec, put_usec, addr, bytes;
	uint32_t pages_per_call, gup_flags, test_flags, which_pages[8];
};
enum { GET_FAST = 1, PIN_FAST, PIN_LONGTERM, GET, PIN };
enum { FOLL_WRITE = 1, FOLL_LONGTERM = 1 << 8 };

static uintptr_t buffers[BUFFERS_MAX];
static int devices[DEVICES_MAX];
/* One open file each: areas of two open files never become one either. */
static int files[FILES_MAX];
/* What devices read goes here, and what they write comes from here. */
static char *port;
static sigjmp_buf trap;
static char reply[REPLY_BYTES];
static size_t reply_length;

static void on_trap(int signal)
{
	(void)signal;
	siglongjmp(trap, 1);
}

static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	reply_length += vsnprintf(reply + reply_length, sizeof reply - reply_length, format, arguments);
	va_end(arguments);
}

static void say_result(int failed)
{
	say(" ret %d", failed ? -errno : 0);
}

static char *page_of(int buffer, long page)
{
	return (char *)(buffers[buffer] + page * PAGE_BYTES);
}

static void *fresh_place(int buffer)
{
	return (void *)(FIRST_BUFFER + buffer * BUFFER_DISTANCE);
}

static void fill(char *page, uint32_t value)
{
	for (int i = 0; i < PAGE_DWORDS; i++)
		((uint32_t *)page)[i] = value;
}

/* A value for each page: `?` where its dwords differ, `x` where the CPU must not read. */
static void say_pages(const char *from, long npages, int by_cpu)
{
	say(" data");
	for (volatile long i = 0; i < npages; i++) {
		const volatile uint32_t *dwords = (const uint32_t *)(from + i * PAGE_BYTES);
		int same = 1;

		if (by_cpu && sigsetjmp(trap, 1)) {
			say(" x");
			continue;
		}
		uint32_t first = dwords[0];
		for (int k = 1; k < PAGE_DWORDS; k++)
			same &= dwords[k] == first;
		if (same)
			say(" %u", first);
		else
			say(" ?");
	}
}

static void write_pages(int buffer, long first, long npages, uint32_t value)
{
	say(" ret 0 data");
	for (volatile long i = 0; i < npages; i++) {
		if (sigsetjmp(trap, 1)) {
			say(" x");
			continue;
		}
		fill(page_of(buffer, first + i), value);
		say(" .");
	}
}

static void command_device(int request, int device, int buffer, long first, long npages, uint32_t value)
{
	struct command command = { .addr = (uintptr_t)page_of(buffer, first), .ptr = (uintptr_t)port, .npages = npages };
	int failed;

	memset(port, 0, npages * PAGE_BYTES);
	if (request == WRITE)
		for (long i = 0; i < npages; i++)
			fill(port + i * PAGE_BYTES, value);
	do
		failed = ioctl(devices[device], _IOWR('H', request, struct command), &command) < 0;
	while (failed && errno == EINTR);
	say_result(failed);
	if (failed)
		return;
	say(" cpages %lu faults %lu", command.cpages, command.faults);
	if (request == READ || request == TO_DEVICE || request == EXCLUSIVE)
		say_pages(port, npages, 0);
	if (request == SNAPSHOT) {
		say(" prot");
		for (long i = 0; i < npages; i++)
			say(" %u", (unsigned char)port[i]);
	}
}

static void open_device(int device, int is_coherent)
{
	char path[32];

	snprintf(path, sizeof path, "/dev/hmm_dmirror%d", device + (is_coherent ? FIRST_COHERENT_UNIT : 0));
	devices[device] = open(path, O_RDWR);
	say_result(devices[device] < 0);
}

static void create_file(int file, long npages, uint32_t value)
{
	static char page[PAGE_BYTES];
	char path[32];

	snprintf(path, sizeof path, "/files/%d", file);
	unlink(path);
	files[file] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	fill(page, value);
	for (long i = 0; i < npages; i++)
		if (write(files[file], page, PAGE_BYTES) != PAGE_BYTES)
			say(" short");
	say(" ret 0");
}

static void read_file(int file)
{
	struct stat status;

	fstat(files[file], &status);
	say_result(pread(files[file], port, status.st_size, 0) < 0);
	say_pages(port, status.st_size / PAGE_BYTES, 0);
}

/* Bits as /proc/self/pagemap has them: present, swapped out (or on a device), soft-dirty. */
static void read_pagemap(int buffer, long page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t at = (uintptr_t)page_of(buffer, page) / PAGE_BYTES * sizeof entry;

	say_result(pread(fd, &entry, sizeof entry, at) != sizeof entry);
	say(" pagemap %d %d %d", (int)(entry >> 63), (int)(entry >> 62 & 1), (int)(entry >> 55 & 1));
	close(fd);
}

/* One page after the other, so that the driver tells when it gets fewer than it was asked for; it does not tell why. */
static void pin(int buffer, long first, long npages, const char *mode)
{
	struct pin_request request = {
		.addr = (uintptr_t)page_of(buffer, first), .bytes = npages * PAGE_BYTES, .pages_per_call = 1,
		.gup_flags = strstr(mode, "write") ? FOLL_WRITE : 0,
	};
	uint64_t bytes = request.bytes;
	int is_fast = !!strstr(mode, "fast"), command;

	if (!strncmp(mode, "get", 3))
		command = is_fast ? GET_FAST : GET;
	else if (!strstr(mode, "longterm"))
		command = is_fast ? PIN_FAST : PIN;
	else {
		command = is_fast ? PIN_FAST : PIN_LONGTERM;
		request.gup_flags |= FOLL_LONGTERM;
	}
	int fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	int failed = fd < 0 || ioctl(fd, _IOWR('g', command, struct pin_request), &request) < 0;

	if (!failed && request.bytes != bytes) {
		failed = 1;
		errno = EFAULT;
	}
	say_result(failed);
	close(fd);
}

static int protection(const char *name)
{
	if (!strcmp(name, "none"))
		return PROT_NONE;
	return strcmp(name, "r") ? PROT_READ | PROT_WRITE : PROT_READ;
}

static int advice_of(const char *name)
{
	static const struct {
		const char *name;
		int advice;
	} known[] = {
		{ "dontneed", MADV_DONTNEED }, { "free", MADV_FREE }, { "hugepage", MADV_HUGEPAGE },
		{ "nohugepage", MADV_NOHUGEPAGE }, { "collapse", 25 }, { "dontfork", MADV_DONTFORK },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(known[i].name, name))
			return known[i].advice;
	return -1;
}

/* buffer, pages, protection, sharing, backing, file, first page within the buffer or -1 for a new one, whether locked */
static void map(const char *arguments)
{
	char prot[16], share[16], backing[16];
	long buffer, npages, file, first, is_locked;

	sscanf(arguments, "%ld %ld %15s %15s %15s %ld %ld %ld", &buffer, &npages, prot, share, backing, &file, &first, &is_locked);
	int is_file = !strcmp(backing, "file");
	int flags = MAP_FIXED | (strcmp(share, "shared") ? MAP_PRIVATE : MAP_SHARED);

	if (!is_file)
		flags |= MAP_ANONYMOUS;
	if (!strcmp(backing, "hugetlb"))
		flags |= MAP_HUGETLB;
	if (is_locked)
		flags |= MAP_LOCKED;
	if (first < 0)
		buffers[buffer] = (uintptr_t)fresh_place(buffer);
	long offset = first < 0 ? 0 : first;
	void *at = mmap(page_of(buffer, offset), npages * PAGE_BYTES, protection(prot), flags, is_file ? files[file] : -1,
			is_file ? offset * PAGE_BYTES : 0);
	say_result(at == MAP_FAILED);
}

static void move(int buffer, long first, long npages, int to, int dont_unmap)
{
	size_t bytes = npages * PAGE_BYTES;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (dont_unmap ? 4 : 0);
	void *at = mremap(page_of(buffer, first), bytes, bytes, flags, fresh_place(to));

	if (at != MAP_FAILED)
		buffers[to] = (uintptr_t)at;
	say_result(at == MAP_FAILED);
}

/* Of this process; -1 until something is registered. */
static int faults_fd = -1;

/* Fills each missing page with one byte, that of the first registration. */
static void *serve_faults(void *argument)
{
	static char page[PAGE_BYTES];
	struct uffd_msg message;

	memset(page, (int)(intptr_t)argument, sizeof page);
	while (read(faults_fd, &message, sizeof message) == sizeof message) {
		uint64_t at = message.arg.pagefault.address & -PAGE_BYTES;
		struct uffdio_copy copy = { .dst = at, .src = (uintptr_t)page, .len = PAGE_BYTES };
		struct uffdio_range range = { .start = at, .len = PAGE_BYTES };

		if (message.event == UFFD_EVENT_PAGEFAULT && ioctl(faults_fd, UFFDIO_COPY, &copy) < 0)
			ioctl(faults_fd, UFFDIO_WAKE, &range);
	}
	return NULL;
}

static void register_faults(int buffer, long first, long npages, int byte)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register request = {
		.range = { .start = (uintptr_t)page_of(buffer, first), .len = npages * PAGE_BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int is_first = faults_fd < 0;
	pthread_t thread;

	if (is_first)
		faults_fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (is_first && (faults_fd < 0 || ioctl(faults_fd, UFFDIO_API, &api) < 0 ||
			 pthread_create(&thread, NULL, serve_faults, (void *)(intptr_t)byte)))
		say(" lost");
	else
		say_result(ioctl(faults_fd, UFFDIO_REGISTER, &request) < 0);
}

static int is(const char *operation, const char *name)
{
	return !strcmp(operation, name);
}

static int device_request(const char *operation)
{
	static const char *const names[] = { "gpu_read", "gpu_write", "migrate_to_device", "migrate_to_sys",
					     "snapshot", "exclusive", "check_exclusive" };

	for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
		if (is(operation, names[i]))
			return i;
	return -1;
}

static void carry_out(const char *line)
{
	char operation[32], word[32] = "";
	long a = 0, b = 0, c = 0, d = 0, e = 0;
	int length = 0;

	reply_length = 0;
	sscanf(line, "%31s%n", operation, &length);
	const char *arguments = line + length;
	sscanf(arguments, "%ld %ld %ld %ld %ld", &a, &b, &c, &d, &e);
	sscanf(arguments, "%*d %*d %*d %31s", word);
	int request = device_request(operation);

	if (request >= 0)
		command_device(request, a, b, c, d, e);
	else if (is(operation, "bind_mirror"))
		open_device(a, b);
	else if (is(operation, "unbind_mirror"))
		say_result(close(devices[a]));
	else if (is(operation, "evict_device")) {
		struct command command = { .npages = 1 };
		say_result(ioctl(devices[a], _IOWR('H', RELEASE, struct command), &command) < 0);
	} else if (is(operation, "file_create"))
		create_file(a, b, c);
	else if (is(operation, "file_read"))
		read_file(a);
	else if (is(operation, "pagemap_read"))
		read_pagemap(a, b);
	else if (is(operation, "mmap"))
		map(arguments);
	else if (is(operation, "mremap"))
		move(a, b, c, d, e);
	else if (is(operation, "munmap"))
		say_result(munmap(page_of(a, b), c * PAGE_BYTES));
	else if (is(operation, "mlock"))
		say_result(mlock(page_of(a, b), c * PAGE_BYTES));
	else if (is(operation, "munlock"))
		say_result(munlock(page_of(a, b), c * PAGE_BYTES));
	else if (is(operation, "reclaim"))
		say_result(madvise(page_of(a, b), c * PAGE_BYTES, MADV_PAGEOUT));
	else if (is(operation, "uffd_register"))
		register_faults(a, b, c, d);
	else if (is(operation, "pin_unpin"))
		pin(a, b, c, word);
	else if (is(operation, "mprotect"))
		say_result(mprotect(page_of(a, b), c * PAGE_BYTES, protection(word)));
	else if (is(operation, "madvise"))
		say_result(madvise(page_of(a, b), c * PAGE_BYTES, advice_of(word)));
	else if (is(operation, "cpu_write"))
		write_pages(a, b, c, d);
	else if (is(operation, "cpu_read")) {
		say(" ret 0");
		say_pages(page_of(a, b), c, 1);
	} else
		say(" unknown");
}

static int to_child[2], from_child[2];
static pid_t child;

static void serve_as_child(void)
{
	static char line[256];
	FILE *commands = fdopen(to_child[0], "r"), *answers = fdopen(from_child[1], "w");

	for (int i = 0; i < DEVICES_MAX; i++)
		if (devices[i] >= 0)
			close(devices[i]);
	faults_fd = -1;
	close(to_child[1]);
	close(from_child[0]);
	while (fgets(line, sizeof line, commands) && strncmp(line, "exit", 4)) {
		carry_out(line);
		fprintf(answers, "%s\n", reply);
		fflush(answers);
	}
	_exit(0);
}

static const char *fork_child(FILE *out, FILE **commands, FILE **answers)
{
	if (pipe(to_child) || pipe(from_child))
		return " lost";
	fflush(out);
	child = fork();
	if (child == 0)
		serve_as_child();
	close(to_child[0]);
	close(from_child[1]);
	*commands = fdopen(to_child[1], "w");
	*answers = fdopen(from_child[0], "r");
	return " ret 0";
}

/* A line is: number of the step, process, operation, arguments. */
static void run_case(char **lines, long count, FILE *out)
{
	struct sigaction action = { .sa_handler = on_trap, .sa_flags = SA_NODEFER };
	FILE *commands = NULL, *answers = NULL;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	port = mmap((void *)PORT, (size_t)PAGES_MAX * PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	for (int i = 0; i < DEVICES_MAX; i++)
		devices[i] = -1;
	for (long i = 0; i < count; i++) {
		char process[8];
		int length;
		long step;

		if (sscanf(lines[i], "%ld %7s %n", &step, process, &length) != 2)
			continue;
		const char *command = lines[i] + length;
		const char *answer = reply;
		if (!strncmp(command, "fork", 4))
			answer = fork_child(out, &commands, &answers);
		else if (strcmp(process, "c0"))
			carry_out(command);
		else {
			fprintf(commands, "%s\n", command);
			fflush(commands);
			if (!strncmp(command, "exit", 4)) {
				waitpid(child, NULL, 0);
				child = 0;
				answer = " ret 0";
			} else {
				answer = fgets(reply, sizeof reply, answers) ? reply : " lost";
				reply[strcspn(reply, "\n")] = 0;
			}
		}
		fprintf(out, "%ld%s\n", step, answer);
	}
	fflush(out);
	if (child) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	_exit(0);
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		perror(path);
	close(fd);
}

/* A disk in memory, with the header that mkswap writes. */
static void prepare_swap(void)
{
	static union {
		char bytes[PAGE_BYTES];
		struct {
			char boot[1024];
			uint32_t version, last_page, bad_pages;
		};
	} header = { .version = 1, .last_page = SWAP_PAGES - 1 };
	int fd = open("/dev/ram0", O_WRONLY);

	if (fd < 0)
		return;
	/* Or huge pages would be swapped in one piece. */
	set("/sys/block/ram0/queue/rotational", "1");
	memcpy(header.bytes + PAGE_BYTES - 10, "SWAPSPACE2", 10);
	if (write(fd, &header, sizeof header) != sizeof header || close(fd) || swapon("/dev/ram0", 0)) {
		perror("no swap, without which MADV_PAGEOUT is another thing");
		exit(1);
	}
	/* Pages that nobody asked for come back otherwise. */
	set("/proc/sys/vm/page-cluster", "0");
}

#define THP "/sys/kernel/mm/transparent_hugepage/"

static void prepare_machine(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/files", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tmpfs", "/files", "tmpfs", 0, NULL);
	prepare_swap();
	set("/proc/sys/vm/nr_hugepages", "32");
	set(THP "enabled", "madvise");
	/* It would make huge pages behind our back, now and then. */
	set(THP "khugepaged/scan_sleep_millisecs", "100000000");
	set(THP "khugepaged/alloc_sleep_millisecs", "100000000");
	set(THP "khugepaged/pages_to_scan", "1");
}

int main(void)
{
	static char buffer[1 << 16];
	char **lines = NULL, *line = NULL;
	long count = 0, room = 0;
	size_t bytes = 0;

	prepare_machine();
	FILE *out = fopen("/dev/ttyS1", "w"), *in = fopen("/cases", "r");
	if (!out || !in)
		return 1;
	setvbuf(out, buffer, _IOFBF, sizeof buffer);
	while (getline(&line, &bytes, in) >= 0) {
		line[strcspn(line, "\n")] = 0;
		if (count == room)
			lines = realloc(lines, (room = room * 2 + 1024) * sizeof *lines);
		lines[count++] = strdup(line);
	}
	for (long i = 0, next; i < count; i = next) {
		int status;

		for (next = i + 1; next < count && strncmp(lines[next], "case ", 5); next++)
			;
		fprintf(out, "%s\n", lines[i]);
		fflush(out);
		pid_t pid = fork();
		if (pid == 0)
			run_case(lines + i + 1, next - i - 1, out);
		waitpid(pid, &status, 0);
		if (status)
			fprintf(out, "died %d\n", status);
	}
	fprintf(out, "end\n");
	fflush(out);
	fclose(out);
	sync();
	return reboot(RB_POWER_OFF);
}
