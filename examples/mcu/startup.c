/* Start-up code for a chip under QEMU: sets up memory, measures main and prints the result. */

#include <stdint.h>

extern uint32_t stack_top[], data_start[], data_end[], data_source[], bss_start[], bss_end[];
int main(void);
void reset(void);

#define PICTURES 16u
#define PAINT 0x5AFEC0DEu

#ifdef __riscv

/* Calls a function of the host through QEMU: semihosting. */
__attribute__((noinline)) static int host(int operation, const void *argument) {
  register int a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(".option push\n.option norvc\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                   : "+r"(a0) : "r"(a1) : "memory");
  return a0;
}

static uint32_t instructions(void) {
  uint32_t count;
  __asm__ volatile("csrr %0, minstret" : "=r"(count) : : "memory");
  return count;
}

static void begin(void) {}

__attribute__((section(".vectors"), naked, used)) void reset(void) {
  __asm__ volatile("la sp, stack_top\nj start");
}

#else

static int host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

/* The processor's clock: with -icount shift=0, an instruction takes 1 ns. */
typedef struct {
  volatile uint32_t control, reload, current;
} clock_registers;
#define CLOCK ((clock_registers *)0xE000E010)
#define CLOCK_MAX 0xFFFFFFu

static uint32_t instructions(void) {
  const uint32_t left = CLOCK->current; /* 0 before the first tick */
  return left ? (CLOCK_MAX - left) * (4000u / MEGAHERTZ) / 4 : 0;
}

static void begin(void) {
#if __ARM_ARCH_PROFILE == 'M' && defined(__ARM_FEATURE_MVE)
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* enables the vector unit */
  __asm__ volatile("dsb\nisb");
#endif
  CLOCK->reload = CLOCK_MAX;
  CLOCK->current = 0;
  CLOCK->control = 5; /* enabled, from the processor's clock */
}

#endif

static void print(const char *text) { host(0x04, text); }

static void print_number(uint32_t number) {
  char digits[11], *first = digits + 10;
  *first = 0;
  do *--first = (char)('0' + number % 10);
  while (number /= 10);
  print(first);
}

static void leave(int code) {
  const uint32_t reason[2] = {0x20026, (uint32_t)code}; /* the application has ended */
  host(0x20, reason);
}

__attribute__((used)) void start(void);
void start(void) {
  uint32_t here, *deepest = bss_end;
  for (uint32_t *to = data_start, *from = data_source; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
  uint32_t *const unused = (uint32_t *)((uintptr_t)&here - 256);
  for (volatile uint32_t *to = bss_end; to < unused; to++) *to = PAINT;
  begin();
  const uint32_t before = instructions();
  const int wrong = main();
  const uint32_t taken = instructions() - before;
  while (*deepest == PAINT) deepest++;
  print_number(PICTURES - (uint32_t)wrong);
  print(" of 16 golden pictures as expected\n");
  print_number(taken / PICTURES);
  print(" instructions a picture\n");
  print_number((uint32_t)((char *)&here - (char *)deepest));
  print(" bytes of stack\n");
  leave(wrong);
  for (;;) {
  }
}

#ifndef __riscv
void reset(void) { start(); }
/* The vector table, which a Cortex-M reads first. */
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*reset)(void);
} vectors = {stack_top, reset};
#endif
