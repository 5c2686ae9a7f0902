import { nameWithPid } from '../../model/name-with-pid.ts';
import type { Finding } from '../../model/finding.ts';
import { ofPid } from '../shared/by-pid.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { common, isNull, isStackOverflow, refusalsBefore } from '../shared/kernel-crashes.ts';

/** Crashes without a refusal before them: bugs, stack overflows, aborts by trap. */
export const kernelSegfault = defineRule({
  id: 'kernel-segfault',
  title: 'A crash that nothing ties to memory',
  needs: ['kernel-segfault'],
  uses: ['kernel-refusal', 'failed-allocation'],
  judge: (facts) =>
    facts['kernel-segfault']
      .filter(
        (crash) =>
          // The agent saw what the kernel does not write down: that rule speaks.
          (isStackOverflow(crash) || ofPid(crash.pid, facts['failed-allocation']).length === 0) &&
          (isStackOverflow(crash) || refusalsBefore(crash, facts['kernel-refusal']).length === 0),
      )
      .map((crash): Finding => {
        const overflow = isStackOverflow(crash);
        const onNull = isNull(crash);
        const where = crash.library === undefined ? '' : ` in ${crash.library}`;
        const name = nameWithPid(crash);
        return {
          ...common(crash),
          cause: 'not-memory',
          ...(overflow
            ? { variant: 'stack-overflow' }
            : crash.trap === 'segfault'
              ? { variant: onNull ? 'null-dereference' : 'wild-pointer' }
              : { variant: crash.trap }),
          confidence: overflow ? 'strong' : onNull ? 'weak' : 'likely',
          headline: overflow
            ? `${name} ran out of stack: a recursion too deep, not memory`
            : crash.trap === 'segfault'
              ? `${name} crashed${where} ${onNull ? 'on a NULL pointer' : 'on a wild pointer'}; nothing shows that memory had been refused`
              : `${name} crashed${where} (${crash.trap.replace('-', ' ')}): a bug or a deliberate abort, not memory`,
          because: [
            reason(
              crash,
              overflow
                ? `the fault at ${crash.faultAddress} lies within a page of the stack pointer ${crash.stackPointer}`
                : 'the kernel records a crash of the process, and no refused allocation before it',
            ),
          ],
          ruledOut: [
            {
              cause: 'kernel-global-oom',
              because: 'the OOM killer sends SIGKILL; this process crashed by itself',
            },
          ],
          unknown: onNull
            ? [
                {
                  id: 'whether-rlimit-refused',
                  what: 'Whether an allocation had been refused before by an rlimit or the map count',
                  why: 'such refusals leave no line in the kernel log (only refusals by overcommit do, on kernels since 6.0)',
                  command: `coredumpctl info ${crash.pid}`,
                },
              ]
            : [],
        };
      }),
});
