import { subjectWithPid } from '../../model/name-with-pid.ts';
import type { CoreDump } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { commonParts, ENOMEM, lookWithGdb, place } from '../shared/core-facts.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { remedy } from '../shared/remedies.ts';

const refusedTypes = new Set(['std::bad_alloc', 'std::bad_array_new_length']);
/** Functions that only run when an allocation was refused: libstdc++, Rust's alloc crate, CPython, jemalloc, tcmalloc. */
const refusalFunctions =
  /__throw_bad_alloc|__throw_bad_array_new_length|handle_alloc_error|rust_oom|__rg_oom|__rust_alloc_error_handler|default_alloc_error_hook|_PyErr_NoMemory|PyErr_NoMemory|OnNoMemory|TerminateBecauseOutOfMemory/;

export const coreAllocFailureAbort = defineRule({
  id: 'core-alloc-failure-abort',
  title: 'A core: an allocation failed and the program aborted',
  needs: ['core-dump'],
  judge: (facts) =>
    facts['core-dump'].flatMap((core) => {
      const finding = failedAllocationAbort(core);
      return finding === null ? [] : [finding];
    }),
});

/** null: the core does not say so. */
export function failedAllocationAbort(core: CoreDump): Finding | null {
  const aborts = core.signal === 'SIGABRT' || core.signal === 'SIGILL' || core.signal === 'SIGTRAP';
  // glibc's own words (heap corruption, assertions) say what it was, and it was not memory.
  if (!aborts || core.abortMessage !== undefined || core.sender !== undefined) return null;
  const exception = core.exceptionType !== undefined && refusedTypes.has(core.exceptionType);
  const frame = core.nativeStack?.slice(0, 40).find((line) => refusalFunctions.test(line));
  const refused = core.errno === ENOMEM;
  // Another exception was on its way: errno may be of any age.
  if (core.exceptionType !== undefined && !exception) return null;
  if (!exception && frame === undefined && !refused) return null;
  const confidence = exception || frame !== undefined ? (refused ? 'certain' : 'strong') : 'likely';
  return {
    ...commonParts(core),
    cause: 'alloc-failure-abort',
    confidence,
    headline: `${subjectWithPid(core)} aborted${place(core)}: an allocation had failed${exception ? ` (${core.exceptionType})` : ''}`,
    because: [
      ...(exception
        ? [
            reason(
              core,
              `it died of ${core.signal} while ${core.exceptionType} was being handled: nobody had caught it`,
            ),
          ]
        : []),
      ...(frame === undefined ? [] : [reason(core, `its stack goes through ${frame}`)]),
      ...(refused
        ? [
            reason(
              core,
              'errno of the thread that aborted was 12 (ENOMEM): its last failure was a refused allocation',
            ),
          ]
        : []),
    ],
    ...(confidence === 'likely'
      ? {
          against: [
            {
              says: 'errno may be left over from an earlier failure that the program had handled',
              source: core.origin.source,
              place: core.origin.place,
            },
          ],
        }
      : {}),
    ruledOut: [
      {
        cause: 'kernel-cgroup-oom',
        because: 'the OOM killer sends SIGKILL, and SIGKILL leaves no core',
      },
    ],
    unknown: [
      {
        id: 'how-much-was-asked',
        what: 'How much was asked for',
        why: 'the frames of the allocation need debug information to be read',
        command: lookWithGdb(core),
      },
    ],
    remedies: [remedy('ask-for-less-at-once', null, 'library'), remedy('record-next-time')],
  };
}
