#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
/* The wall clock jumps by up to CLOCK_JUMP seconds either way, every time that it is read. */
static long jump(void) {
  static unsigned state = 12345;
  state = state * 1664525u + 1013904223u;
  long range = atol(getenv("CLOCK_JUMP") ? getenv("CLOCK_JUMP") : "0");
  return range ? (long)(state >> 8) % (2 * range) - range : 0;
}
int clock_gettime(clockid_t id, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(id, t);
  if (id == CLOCK_REALTIME) t->tv_sec += jump();
  return status;
}
int gettimeofday(struct timeval *t, void *zone) {
  struct timespec now;
  int status = clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec, t->tv_usec = now.tv_nsec / 1000;
  return status;
}
time_t time(time_t *t) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (t) *t = now.tv_sec;
  return now.tv_sec;
}
