#pragma once
/* Linux calls that Swift's Glibc module does not carry. Those that need _GNU_SOURCE are declared here,
 * since the module's headers were read without it. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int pipe2(int *ends, int flags);
int fallocate(int fd, int mode, off_t offset, off_t length);
int mkostemp(char *template_, int flags);

/* O_TMPFILE is an expression of other macros, which Swift does not import. */
static const int clinux_o_tmpfile = 020000000 | 0200000;

#include <pthread.h>
int pthread_setname_np(pthread_t thread, const char *name);

#include <spawn.h>
int pipe2(int ends[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);

/* Of poll.h, which shows it only with _GNU_SOURCE. */
static const short clinux_pollrdhup = 0x2000;

/* prctl is variadic; 4 is PR_SET_DUMPABLE. Its header would define others' types here first. */
int prctl(int option, ...);
static inline int clinux_set_dumpable(int value) { return prctl(4, (long)value, 0L, 0L, 0L); }

/* Of sys/timerfd.h, which would define others' types here first. 1 is CLOCK_MONOTONIC, 02004000 TFD_CLOEXEC and
 * TFD_NONBLOCK. */
struct itimerspec;
int timerfd_create(int clock, int flags);
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *before);
static inline int clinux_alarm(void) { return timerfd_create(1, 02004000); }
static inline int clinux_set_alarm(int fd, long long nanoseconds) {
  long value[4] = {0, 0, nanoseconds / 1000000000, nanoseconds % 1000000000};
  return timerfd_settime(fd, 0, (const struct itimerspec *)value, 0);
}
