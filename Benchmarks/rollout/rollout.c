/* A roll-out: a registry that takes a given time for each answer, and the nodes that ask for its blobs. One thread
 * with epoll each, so that neither is what is measured.
 *
 *     rollout registry PORT MILLISECONDS SIZE DIGEST...   answers HEAD and GET of /v2/.../blobs/DIGEST
 *     rollout nodes PORT METHOD NODES PATH...             each node has a connection and a credential of its own,
 *                                                         and asks for the paths one after the other
 *
 * Layer i is its number in six digits, and SIZE - 6 times the letter a. Credentials and addresses are new in each run.
 * The nodes print one line:
 *     seconds STATUS=count... p50=microseconds p99=microseconds
 * The registry prints the number of HEADs it has answered when it is sent SIGUSR1, and clears it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LIMIT 16384
#define DIE(what) (perror(what), exit(1))

static int epoll;

struct peer {
  int fd;
  /* registry: the answer that is due; nodes: bytes of the body that are to come, or -1 before the head's end */
  long due, body;
  char *answer;
  size_t answer_length;
  int path, status;
  long asked;
  size_t have;
  char in[4096];
};

static struct peer *peers[65536];

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) DIE("epoll_ctl");
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static void gone(struct peer *p) {
  close(p->fd);
  peers[p->fd] = NULL;
  free(p->answer);
  free(p);
}

/* Those that are due, in order: all take the same time. */
static int due_first, due_count, due_fds[1 << 17];
static long heads;

static char **all_digests;

static int by_digest(const void *a, const void *b) { return strcmp(all_digests[*(int *)a], all_digests[*(int *)b]); }

/* The number of the layer that is asked for; as many as there are, if it is none of them. */
static int layer(struct peer *p, int digests, char **digest) {
  static int *sorted;
  if (!sorted) {
    sorted = malloc(sizeof *sorted * digests);
    for (int i = 0; i < digests; i++) sorted[i] = i;
    all_digests = digest;
    qsort(sorted, digests, sizeof *sorted, by_digest);
  }
  char *asked = memmem(p->in, p->have, "/blobs/", 7);
  for (int low = 0, high = digests; asked && low < high;) {
    int middle = (low + high) / 2;
    const char *found = digest[sorted[middle]];
    int order = strncmp(asked + 7, found, strlen(found));
    if (!order) return sorted[middle];
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return digests;
}

static void answer(struct peer *p, long delay, size_t size, int digests, char **digest) {
  int is_head = !strncmp(p->in, "HEAD ", 5), i = layer(p, digests, digest);
  free(p->answer);
  p->answer = malloc(size + 512);
  int found = i < digests;
  p->answer_length = sprintf(p->answer,
                             "HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Type: application/octet-stream\r\n"
                             "Docker-Content-Digest: %s\r\n\r\n",
                             found ? "200 OK" : "404 Not Found", found ? size : 0, found ? digest[i] : "");
  if (found && !is_head) {
    memset(p->answer + p->answer_length, 'a', size);
    char number[12];
    snprintf(number, sizeof number, "%06d", i);
    memcpy(p->answer + p->answer_length, number, 6);
    p->answer_length += size;
  }
  heads += is_head;
  p->have = 0;
  p->due = now() + delay;
  due_fds[(due_first + due_count++) & 0x1FFFF] = p->fd;
}

static int registry(int port, long delay, size_t size, int digests, char **digest) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, timer = timerfd_create(CLOCK_MONOTONIC, 0);
  struct sockaddr_in a = loopback(port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 65535)) DIE("listen");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, 0);
  watch(listener), watch(timer), watch(signals);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, due_count ? 1 : -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int c;
        while ((c = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          peers[c] = calloc(1, sizeof **peers);
          peers[c]->fd = c;
          watch(c);
        }
      } else if (fd == signals) {
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) > 0) printf("%ld\n", heads), fflush(stdout), heads = 0;
      } else if (peers[fd]) {
        struct peer *p = peers[fd];
        ssize_t n = recv(fd, p->in + p->have, sizeof p->in - p->have, 0);
        if (n <= 0) {
          if (n == 0 || errno != EAGAIN) gone(p);
          continue;
        }
        p->have += n;
        if (memmem(p->in, p->have, "\r\n\r\n", 4)) answer(p, delay, size, digests, digest);
      }
    }
    for (long t = now(); due_count; due_first++, due_count--) {
      struct peer *p = peers[due_fds[due_first & 0x1FFFF]];
      if (p && p->answer && p->due > t) break;
      if (!p || !p->answer) continue;
      send(p->fd, p->answer, p->answer_length, MSG_NOSIGNAL);
      free(p->answer);
      p->answer = NULL;
    }
  }
}

static void ask(struct peer *p, const char *method, int node, char **path) {
  char request[1024];
  int n = snprintf(request, sizeof request,
                   "%s %s HTTP/1.1\r\nHost: registry.example\r\nUser-Agent: rollout\r\n"
                   "Authorization: Bearer node-%d-%d\r\n\r\n",
                   method, path[p->path], getpid(), node);
  p->asked = now();
  p->have = 0;
  p->body = -1;
  if (send(p->fd, request, n, MSG_NOSIGNAL) != n) DIE("send");
}

/* Each node of each run has an address of its own, as nodes have: one that comes back to a blob makes bloblo look
 * into the bucket. */
static struct sockaddr_in node_address(int node) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  a.sin_addr.s_addr = htonl(0x7F000000 | (1 + getpid() % 250) << 16 | (node + 2));
  return a;
}

static int by_size(const void *a, const void *b) {
  long x = *(const long *)a, y = *(const long *)b;
  return x < y ? -1 : x > y;
}

static int nodes(int port, const char *method, int count, int paths, char **path) {
  long *times = malloc(sizeof *times * count * paths), done = 0, statuses[600] = {0}, start = now();
  int left = count, *node = calloc(65536, sizeof *node);
  for (int i = 0; i < count; i++) {
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in own = node_address(i);
    if (fd < 0 || bind(fd, (void *)&own, sizeof own)) DIE("bind");
    if (connect(fd, (void *)&a, sizeof a)) DIE("connect");
    peers[fd] = calloc(1, sizeof **peers);
    peers[fd]->fd = fd;
    node[fd] = i;
    watch(fd);
    ask(peers[fd], method, i, path);
  }
  while (left) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, 60000);
    if (n <= 0) DIE("nothing for a minute");
    for (int i = 0; i < n; i++) {
      struct peer *p = peers[events[i].data.fd];
      ssize_t got = recv(p->fd, p->in + p->have, sizeof p->in - 1 - p->have, 0);
      if (got <= 0) {
        statuses[0] += paths - p->path;
        gone(p), left--;
        continue;
      }
      p->have += got;
      p->in[p->have] = 0;
      if (p->body < 0) {
        char *end = strstr(p->in, "\r\n\r\n"), *length = strcasestr(p->in, "content-length:");
        if (!end) continue;
        p->status = atoi(p->in + 9);
        p->body = !strcmp(method, "HEAD") || !length ? 0 : atol(length + 15);
        p->body -= p->have - (end + 4 - p->in);
      } else {
        p->body -= got;
      }
      p->have = 0;
      if (p->body > 0) continue;
      times[done++] = now() - p->asked;
      statuses[p->status]++;
      if (++p->path < paths) ask(p, method, node[p->fd], path);
      else gone(p), left--;
    }
  }
  printf("%.3f", (now() - start) / 1e6);
  for (int i = 0; i < 600; i++)
    if (statuses[i]) printf(" %d=%ld", i, statuses[i]);
  qsort(times, done, sizeof *times, by_size);
  if (done) printf(" p50=%ld p99=%ld", times[done / 2], times[done * 99 / 100]);
  puts("");
  return 0;
}

int main(int count, char **word) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
  setrlimit(RLIMIT_NOFILE, &limit);
  epoll = epoll_create1(0);
  if (count > 5 && !strcmp(word[1], "registry"))
    return registry(atoi(word[2]), atol(word[3]) * 1000, atol(word[4]), count - 5, word + 5);
  if (count > 5 && !strcmp(word[1], "nodes")) return nodes(atoi(word[2]), word[3], atoi(word[4]), count - 5, word + 5);
  fputs("rollout registry PORT MILLISECONDS SIZE DIGEST... | rollout nodes PORT METHOD NODES PATH...\n", stderr);
  return 64;
}
