// Linked into what is built with a sanitizer.
//
// Options stand here and not in the environment, which the tests' harnesses give to nobody: a report is a file,
// whoever has started the process, and ends it.
//
// And the thread sanitizer is told what it can't see: a lock of Swift's Mutex that somebody waits for is taken
// and let go of by the kernel, or within a library that is not instrumented.
// Source: swift stdlib/public/Synchronization/Mutex/LinuxImpl.swift; sanitizer/tsan_interface.h

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define COMMON "exitcode=66:halt_on_error=1:log_path=" REPORTS "/report"

// XCTest leaks at its end.
const char *__asan_default_options(void) { return COMMON ":detect_leaks=0"; }
const char *__tsan_default_options(void) { return COMMON; }

__attribute__((weak)) void __tsan_acquire(void *);
__attribute__((weak)) void __tsan_release(void *);

#define SELF __attribute__((swift_context)) void *self
#define SWIFT __attribute__((swiftcall))

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF) __asm__(TRY);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t thread, SELF) {
  SWIFT void (*real)(uint32_t, SELF) = (SWIFT void (*)(uint32_t, SELF))dlsym(RTLD_NEXT, LOCK);
  real(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT bool try_lock_slow(SELF) {
  SWIFT bool (*real)(SELF) = (SWIFT bool (*)(SELF))dlsym(RTLD_NEXT, TRY);
  bool is_taken = real(self);
  if (is_taken && __tsan_acquire) __tsan_acquire(self);
  return is_taken;
}

SWIFT void unlock_slow(SELF) {
  SWIFT void (*real)(SELF) = (SWIFT void (*)(SELF))dlsym(RTLD_NEXT, UNLOCK);
  if (__tsan_release) __tsan_release(self);
  real(self);
}
