/* Start-up code for a Cortex-M4 under QEMU: sets up memory, times main and prints the result. */

#include <stdint.h>

extern uint32_t stack_top[], data_start[], data_end[], data_source[], bss_start[], bss_end[];
int main(void);
void reset(void);

#define PICTURES 16u
/* With -icount shift=0 an instruction takes 1 ns, and a tick of the 25 MHz clock takes 40 ns. */
#define INSTRUCTIONS_A_TICK 40u

typedef struct {
  volatile uint32_t control, reload, current;
} clock_registers;
#define CLOCK ((clock_registers *)0xE000E010)
#define CLOCK_MAX 0xFFFFFFu

/* Calls a function of the host through QEMU: Arm's semihosting. */
static int host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

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

void reset(void) {
  for (uint32_t *to = data_start, *from = data_source; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
  CLOCK->reload = CLOCK_MAX;
  CLOCK->current = 0;
  CLOCK->control = 5; /* enabled, from the processor's clock */
  const int wrong = main();
  const uint32_t ticks = CLOCK_MAX - CLOCK->current;
  print_number(PICTURES - (uint32_t)wrong);
  print(" of 16 golden pictures as expected\n");
  print_number(ticks / PICTURES * INSTRUCTIONS_A_TICK);
  print(" instructions a picture\n");
  leave(wrong);
  for (;;) {
  }
}

/* The vector table, which a Cortex-M reads first. */
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*reset)(void);
} vectors = {stack_top, reset};
