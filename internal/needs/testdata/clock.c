// Puts a program's wall clock forward or back: by the microseconds in the file that WEEKLYBOT_CLOCK names. Preloaded into a redis-server.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *moved;

__attribute__((constructor)) static void attach(void) {
  const char *name = getenv("WEEKLYBOT_CLOCK");
  int fd = name ? open(name, O_RDONLY) : -1;
  void *page = fd < 0 ? MAP_FAILED : mmap(0, sizeof *moved, PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) abort();
  moved = page;
}

int gettimeofday(struct timeval *tv, void *zone) {
  struct timespec now;
  (void)zone;
  if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0) return -1;
  int64_t us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 + (moved ? *moved : 0);
  tv->tv_sec = us / 1000000;
  tv->tv_usec = us % 1000000;
  return 0;
}

time_t time(time_t *t) {
  struct timeval tv;
  gettimeofday(&tv, 0);
  if (t) *t = tv.tv_sec;
  return tv.tv_sec;
}
