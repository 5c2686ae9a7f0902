/*
 * Which requests are noted. Poisson sampling of bytes: the distance to the next sample is exponential, so every byte is
 * equally likely to be the sampled one whatever the sizes are, and a request of n bytes is noted with probability
 * 1 - exp(-n / mean). Its weight is n divided by that, which makes every sum unbiased.
 */
#include "agent.h"
#include "lock.h"

#include <time.h>

_Thread_local struct thread_state thread __attribute__((tls_model("initial-exec")));
uint64_t exact_bytes = 1u << 20;
static uint64_t coarse_mean = 512u << 10; /* what churns for ever is sampled at */
static uint64_t fine_mean = 64u << 10;    /* what makes the heap grow is sampled at, while that is affordable */
static uint64_t sample_mean = 64u << 10;

uint64_t sampling_mean(void) { return coarse_mean; }

void sampling_set_mean(uint64_t mean, bool fixed) {
  coarse_mean = mean ? mean : 1;
  if (fixed || fine_mean > coarse_mean) fine_mean = coarse_mean;
  if (sample_mean < fine_mean || fixed) sample_mean = fine_mean;
  /* Beyond twice the mean a request is noted almost surely anyway; small means do not lower the bound. */
  exact_bytes = coarse_mean * 2 > (1u << 20) ? coarse_mean * 2 : 1u << 20;
}

/*
 * A line's error is the mean over its live bytes, so a small heap wants a small mean; what it costs depends on all
 * that was ever allocated. So the finer mean is paid for by growth: as many samples more as the peak has fine means,
 * which is bounded however long it runs. The choice depends on the past alone, so sums stay unbiased.
 */
void sampling_adapt(uint64_t samples, uint64_t peak_bytes, uint64_t total_bytes) {
  uint64_t fine = fine_mean;
  while (peak_bytes / 8192 > fine && fine < coarse_mean) fine *= 2;
  bool affordable = samples < 512 + peak_bytes / fine + total_bytes / coarse_mean;
  sample_mean = affordable && fine < coarse_mean ? fine : coarse_mean;
}

/* ln(x) for x >= 1, to about 1e-5: libm would be one more library in the process. */
static double natural_log(uint64_t x) {
  int exponent = 63 - __builtin_clzll(x);
  double mantissa = (double)x / (double)(1ull << exponent);
  double t = (mantissa - 1) / (mantissa + 1), t2 = t * t;
  return exponent * 0.6931471805599453 + 2 * t * (1 + t2 * (1.0 / 3 + t2 * (1.0 / 5 + t2 / 7)));
}

static int64_t next_gap(void) {
  uint64_t r = thread.random;
  r ^= r << 13, r ^= r >> 7, r ^= r << 17;
  thread.random = r;
  double uniform_log = natural_log((r >> 24) + 1) - 40 * 0.6931471805599453;
  return (int64_t)(-uniform_log * (double)thread.mean) + 1;
}

/* By the mean its distance was drawn with. */
double sample_weight(size_t bytes) {
  double x = (double)bytes / (double)(thread.due_mean ? thread.due_mean : coarse_mean);
  if (x > 30) return (double)bytes;
  /* 1 - exp(-x): the series for small x, where the difference would lose its digits. */
  double probability;
  if (x < 1) {
    double term = x, sum = x;
    for (int i = 2; i < 16; i++) sum += term *= -x / i;
    probability = sum;
  } else {
    double half = x, product = 1;
    int halvings = 0;
    while (half > 0.5) half /= 2, halvings++;
    double term = 1, sum = 1;
    for (int i = 1; i < 14; i++) sum += term *= -half / i;
    product = sum;
    while (halvings--) product *= product;
    probability = 1 - product;
  }
  return (double)bytes / probability;
}

static void refill(void) {
  thread.due_mean = thread.mean;
  thread.mean = (uint32_t)(sample_mean < UINT32_MAX ? sample_mean : UINT32_MAX);
  int64_t gap = next_gap();
  thread.countdown = gap < COUNTDOWN_CAP ? gap : COUNTDOWN_CAP;
  thread.rest = gap - thread.countdown;
}

/* So many requests of this thread take the slow path, without a change to which of them are sampled. */
void sample_every_request(uint8_t requests) {
  struct thread_state *t = &thread;
  t->watching = requests;
  if (t->countdown < 0) return;
  t->rest += t->countdown;
  t->countdown = 0;
}

/* Called when the countdown has gone below zero. */
COLD bool sample_due(size_t bytes) {
  struct thread_state *t = &thread;
  if (!t->seeded) {
    if (!agent_ready) {
      t->countdown = 0;
      return false;
    }
    t->seeded = 1;
    t->random = (monotonic_ns() ^ (uint64_t)(uintptr_t)t) * 0x9E3779B97F4A7C15ull | 1;
    thread.mean = (uint32_t)sample_mean;
    for (int i = 0; i < 4; i++) (void)next_gap();
    refill();
    return !t->inside && bytes >= exact_bytes;
  }
  if (t->inside || !agent_ready) {
    t->countdown = 0;
    return false;
  }
  if (bytes >= exact_bytes) {
    /* Counted in any case: it must not use up the distance of the others. */
    t->countdown = (int64_t)((uint64_t)t->countdown + bytes);
    if (t->countdown < 0 || t->countdown > COUNTDOWN_CAP) refill();
    return true;
  }
  while (t->countdown < 0 && t->rest > 0) {
    /* While something is watched the distance is handed out request by request: every one of them comes by here. */
    int64_t step = t->watching ? -t->countdown : COUNTDOWN_CAP;
    int64_t more = t->rest < step ? t->rest : step;
    t->countdown += more;
    t->rest -= more;
  }
  if (t->countdown >= 0) return false;
  refill();
  return true;
}
