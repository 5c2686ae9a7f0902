/* Prints where the fields are that src/parsers/formats/agent-file/ reads; its test compares. */
#include <stddef.h>
#include <stdio.h>
#include "../layout.h"
#define FIELD(type, field) printf(#type "." #field " %zu\n", offsetof(struct coroner_##type, field))
int main(void) {
  FIELD(header, version); FIELD(header, pid); FIELD(header, parent_pid); FIELD(header, started_realtime_ns);
  FIELD(header, started_monotonic_ns); FIELD(header, state); FIELD(header, exit_code); FIELD(header, state_monotonic_ns);
  FIELD(header, flags); FIELD(header, python_flags); FIELD(header, python_version); FIELD(header, sample_mean_bytes);
  FIELD(header, first_sample_mean_bytes); FIELD(header, exact_bytes); FIELD(header, live_bytes); FIELD(header, peak_bytes);
  FIELD(header, peak_monotonic_ns); FIELD(header, peak_rss_bytes); FIELD(header, total_bytes); FIELD(header, samples);
  FIELD(header, removed); FIELD(header, forked_live_bytes); FIELD(header, last_event_monotonic_ns);
  FIELD(header, weighed_monotonic_ns); FIELD(header, failure_count); FIELD(header, dropped_live);
  FIELD(header, dropped_stacks); FIELD(header, lock_timeouts); FIELD(header, peak_sequence); FIELD(header, limit_bytes);
  FIELD(header, limit_hits); FIELD(header, limit_monotonic_ns); FIELD(header, limit_used_bytes); FIELD(header, name);
  FIELD(header, executable); FIELD(header, sections);
  FIELD(stack, live_exact); FIELD(stack, live_estimated); FIELD(stack, peak_exact); FIELD(stack, peak_estimated);
  FIELD(stack, total); FIELD(stack, live_samples); FIELD(stack, peak_samples); FIELD(stack, node); FIELD(stack, kind);
  FIELD(stack, flags); FIELD(stack, native_count); FIELD(stack, native);
  FIELD(stack, refused_exact); FIELD(stack, refused_estimated); FIELD(stack, refused_samples);
  FIELD(failure, realtime_ns); FIELD(failure, monotonic_ns); FIELD(failure, bytes); FIELD(failure, rss_bytes);
  FIELD(failure, vm_bytes); FIELD(failure, limit_as_bytes); FIELD(failure, limit_data_bytes); FIELD(failure, thread_id);
  FIELD(failure, error); FIELD(failure, node); FIELD(failure, kind); FIELD(failure, flags); FIELD(failure, native_count);
  FIELD(failure, native);
  FIELD(code, file); FIELD(code, function); FIELD(frame, line); FIELD(live, stack); FIELD(module, path); FIELD(moment, top);
  FIELD(tree, files); FIELD(tree, processes); FIELD(tree, spares_made); FIELD(tree, spares_taken);
  FIELD(ask, until_ns); FIELD(ask, not_before_ns); FIELD(ask, asked_ns); FIELD(ask, used_bytes); FIELD(ask, request_bytes);
  FIELD(ask, pid); FIELD(ask, answers); FIELD(tree, ask); FIELD(tree, slots);
  printf("sizes %zu %zu %zu %zu\n", sizeof(struct coroner_stack), sizeof(struct coroner_failure), sizeof(struct coroner_moment), sizeof(struct coroner_file));
  return 0;
}
