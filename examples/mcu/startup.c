/* Start-up code for a core under QEMU: sets up memory, measures main and prints the result. */

#include <stdint.h>

/* From memory.ld. */
extern uint32_t stack_top[], data_start[], data_end[], data_source[], bss_start[], bss_end[];
int main(void);
void reset(void);
void start(void);

#define PICTURES 16u /* that main reads */
#define PAINT 0x5AFEC0DEu
#define OWN_FRAMES 256 /* bytes of the stack that are in use while the rest is painted */

#ifdef __riscv

/* Calls a function of the machine that QEMU runs on: semihosting, known by the instructions around
   ebreak, which may not be compressed. */
__attribute__((noinline)) static int host(int operation, const void *argument) {
  register int a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(
      ".option push\n.option norvc\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
      : "+r"(a0)
      : "r"(a1)
      : "memory");
  return a0;
}

static void start_clock(void) {}

static uint32_t instructions(void) {
  uint32_t count;
  __asm__ volatile("csrr %0, minstret" : "=r"(count) : : "memory");
  return count;
}

/* The first instructions in flash, which this core begins with: it has no stack yet. */
__attribute__((section(".vectors"), naked, used)) void reset(void) {
  __asm__ volatile("la sp, stack_top\nj start");
}

#else

/* Calls a function of the machine that QEMU runs on: semihosting. */
static int host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

/* SysTick counts down, one a cycle of the board's clock. */
typedef struct {
  volatile uint32_t control, reload, current;
} clock_registers;
#define CLOCK ((clock_registers *)0xE000E010)
#define CLOCK_MAX 0xFFFFFFu

static void start_clock(void) {
  CLOCK->reload = CLOCK_MAX;
  CLOCK->current = 0;
  CLOCK->control = 5; /* enabled, from the processor's clock */
}

/* Returns the nanoseconds since the clock was started: an instruction takes one. */
static uint32_t instructions(void) {
  const uint32_t left = CLOCK->current;
  const uint32_t ticks = left ? CLOCK_MAX - left : 0; /* 0 is left before the first tick too */
  return ticks * (4000u / MEGAHERTZ) / 4;
}

void reset(void) {
#ifdef __ARM_FEATURE_MVE
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* turns the vector unit on */
  __asm__ volatile("dsb\nisb");
#endif
  start();
}

/* The vector table, which a Cortex-M reads first. */
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*reset)(void);
} vectors = {stack_top, reset};

#endif

static void print(const char *text) { host(0x04, text); }

static void print_number(uint32_t number, const char *what) {
  char digits[11], *first = digits + 10;
  *first = 0;
  do *--first = (char)('0' + number % 10);
  while (number /= 10);
  print(first);
  print(what);
}

/* Ends QEMU, whose exit status is `code`. */
static void leave(int code) {
  const uint32_t reason[2] = {0x20026, (uint32_t)code}; /* the application has ended */
  host(0x20, reason);
}

static void set_up_data(void) {
  for (uint32_t *to = data_start, *from = data_source; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
}

/* Fills the unused stack with a number, so that what is used afterwards can be seen. */
static void paint_stack(void) {
  uint32_t here;
  volatile uint32_t *const end = (uint32_t *)((uintptr_t)&here - OWN_FRAMES);
  for (volatile uint32_t *to = bss_end; to < end; to++) *to = PAINT;
}

static uint32_t bytes_of_stack(void) {
  const volatile uint32_t *deepest = bss_end;
  while (*deepest == PAINT) deepest++;
  return (uint32_t)((uintptr_t)stack_top - (uintptr_t)deepest);
}

__attribute__((noinline, used)) void start(void) {
  set_up_data();
  paint_stack();
  start_clock();
  const uint32_t before = instructions();
  const int wrong = main();
  const uint32_t taken = instructions() - before;
  print_number(PICTURES - (uint32_t)wrong, " of 16 golden pictures as expected\n");
  print_number(taken / PICTURES, " instructions a picture\n");
  print_number(bytes_of_stack(), " bytes of stack\n");
  leave(wrong);
  for (;;) {
  }
}
