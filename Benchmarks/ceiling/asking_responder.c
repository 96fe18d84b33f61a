/* asking_responder: the cheapest useful cold decision. It asks the registry by a HEAD with the client's credential, and
 * answers what the registry allows by a fixed "307 Temporary Redirect". It checks nothing, signs nothing, remembers
 * nothing and has no timeouts: what is left is the cost of two processes instead of one.
 *
 *     asking_responder SOCKET PORT        the Unix socket on which it listens, and the registry's port on loopback
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "answer.h"

#define DIE(what) (perror(what), exit(1))

enum kind { LISTENER, FRONT, REGISTRY };
enum record { END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 }; /* FastCGI 1.0, 8 */

struct peer {
  enum kind kind;
  int fd, id;
  struct peer *other; /* a question: who waits for it; who waits: its question */
  size_t have;
  unsigned char in[8192];
};

static struct peer *peers[65536], *idle[65536];
static int epoll, idle_count, port;

static const char REFUSAL[] = "Status: 424 Failed Dependency\r\n\r\n";

static struct peer *watch(int fd, enum kind kind) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) DIE("epoll_ctl");
  struct peer *p = peers[fd] = calloc(1, sizeof *p);
  p->kind = kind, p->fd = fd;
  return p;
}

static void end(struct peer *p) {
  if (p->other) p->other->other = NULL;
  for (int i = 0; i < idle_count; i++)
    if (idle[i] == p) idle[i--] = idle[--idle_count];
  peers[p->fd] = NULL;
  close(p->fd);
  free(p);
}

static size_t size(const unsigned char **at) {
  size_t n = *(*at)++;
  if (n < 128) return n;
  n = (n & 127) << 24 | (*at)[0] << 16 | (*at)[1] << 8 | (*at)[2];
  *at += 3;
  return n;
}

static void ask(struct peer *p, const unsigned char *at, const unsigned char *last) {
  const char *target = "/", *credential = "";
  int target_size = 1, credential_size = 0;
  while (at < last) {
    size_t name = size(&at), value = size(&at);
    if (name == 11 && !memcmp(at, "REQUEST_URI", 11)) target = (char *)at + name, target_size = value;
    if (name == 18 && !memcmp(at, "HTTP_AUTHORIZATION", 18)) credential = (char *)at + name, credential_size = value;
    at += name + value;
  }
  struct peer *question = idle_count ? idle[--idle_count] : NULL;
  if (!question) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (connect(fd, (void *)&address, sizeof address)) DIE("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    question = watch(fd, REGISTRY);
  }
  question->other = p, p->other = question;
  char out[4096];
  int n = snprintf(out, sizeof out, "HEAD %.*s HTTP/1.1\r\nHost: registry\r\nAuthorization: %.*s\r\n\r\n", target_size,
                   target, credential_size, credential);
  if (send(question->fd, out, n, MSG_NOSIGNAL) != n) DIE("send");
}

static void answer(struct peer *question) {
  struct peer *p = question->other;
  const char *text = memcmp(question->in, "HTTP/1.1 200", 12) ? REFUSAL : ANSWER;
  size_t n = strlen(text);
  idle[idle_count++] = question;
  question->other = NULL;
  if (!p) return;
  p->other = NULL;
  char out[1024] = {1, STDOUT, 0, p->id, n >> 8, n};
  memcpy(out + 8, text, n);
  char *ended = out + 8 + n;
  ended[0] = 1, ended[1] = END_REQUEST, ended[3] = p->id, ended[5] = 8;
  send(p->fd, out, n + 24, MSG_NOSIGNAL);
}

/* Asks, once the params are there and the end of the body. The front sends params in one record, and no body. */
static void read_records(struct peer *p) {
  const unsigned char *params = NULL, *params_end = NULL;
  for (size_t at = 0; at + 8 <= p->have;) {
    const unsigned char *record = p->in + at;
    size_t content = record[4] << 8 | record[5];
    at += 8 + content + record[6];
    if (at > p->have) return;
    p->id = record[3];
    if (record[1] == PARAMS && content) params = record + 8, params_end = params + content;
    if (record[1] == STDIN && !content && params) {
      p->have = 0;
      ask(p, params, params_end);
      return;
    }
  }
}

int main(int count, char **word) {
  if (count != 3) return fputs("asking_responder SOCKET PORT\n", stderr), 64;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
  setrlimit(RLIMIT_NOFILE, &limit);
  port = atoi(word[2]);
  epoll = epoll_create1(0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, word[1], sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (void *)&address, sizeof address) || chmod(word[1], 0666) || listen(listener, 4096)) DIE("listen");
  watch(listener, LISTENER);
  for (;;) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      struct peer *p = peers[events[i].data.fd];
      if (!p) continue;
      if (p->kind == LISTENER) {
        for (int fd; (fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) watch(fd, FRONT);
        continue;
      }
      ssize_t got = recv(p->fd, p->in + p->have, sizeof p->in - p->have, MSG_DONTWAIT);
      if (got <= 0) {
        if (got == 0 || errno != EAGAIN) end(p);
        continue;
      }
      p->have += got;
      if (p->kind == FRONT) {
        read_records(p);
      } else if (memmem(p->in, p->have, "\r\n\r\n", 4)) {
        p->have = 0;
        answer(p);
      }
    }
  }
}
