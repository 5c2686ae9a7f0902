/** A run in which nobody died: how much it took, when, for what, and how much would be enough. */
import type { JSX } from 'preact';
import type { RunTold } from '../../../src/model/page.ts';
import type { RunAccount, RunEnvironment } from '../../../src/model/report.ts';
import { formatBytes, formatDuration } from '../../../src/model/units.ts';
import { Command, Section, Whole } from '../parts.tsx';
import { AnswerList } from './answers.tsx';

const moment = (time: string): string => time.replace('T', ' ').replace(/(?:\.\d+)?Z$/, ' UTC');

export const RunVerdict = ({
  told,
  run,
}: {
  told: RunTold;
  run: RunAccount | undefined;
}): JSX.Element => (
  <section class="verdict" aria-labelledby="headline">
    <p class="badge-line">
      <span class={`badge ${run?.growth == null ? 'good' : 'warn'}`}>{told.word}</span>
      {run?.durationMs == null ? null : (
        <span class="confidence">{formatDuration(run.durationMs)}</span>
      )}
      <span class="quiet">{moment(run?.startedAt ?? '')}</span>
    </p>
    <h1 id="headline">
      <Whole text={told.headline} />
    </h1>
    <AnswerList answers={told.answers} />
    {told.again === null ? null : (
      <div class="again">
        <p class="note">To run it again within that limit</p>
        <Command text={told.again} />
      </div>
    )}
  </section>
);

/** Where it ran: what somebody else has to know to see the same. */
export function Environment({
  environment,
  startedAt,
}: {
  environment: RunEnvironment;
  startedAt: string;
}): JSX.Element {
  const { machine = {}, python, coroner, limits, packages = [] } = environment;
  const rows: readonly (readonly [string, string])[] = [
    ['Kernel', [machine.kernel, machine.architecture].filter(Boolean).join(', ')],
    [
      'Memory',
      machine.totalBytes === undefined
        ? ''
        : `${formatBytes(machine.totalBytes)}, swap ${machine.swapTotalBytes === 0 ? 'none' : machine.swapTotalBytes === undefined ? 'not known' : formatBytes(machine.swapTotalBytes)}`,
    ],
    ['Processors', machine.cpus === undefined ? '' : `${machine.cpus}`],
    [
      'Overcommit',
      machine.overcommitMode === undefined
        ? ''
        : `vm.overcommit_memory = ${machine.overcommitMode}`,
    ],
    ['Python', python === undefined ? '' : `CPython ${python}`],
    ...packages.map(({ name, version }): readonly [string, string] => [name, version]),
    ...limits.map(({ owner, path = '', bytes }): readonly [string, string] => [
      owner === 'cgroup' ? `Limit of cgroup ${path}` : path || owner,
      bytes === null ? 'none' : formatBytes(bytes),
    ]),
    ['Started', moment(startedAt)],
    ['Recorded by', coroner === undefined ? '' : `coroner ${coroner}`],
  ];
  return (
    <Section id="environment" title="Where it ran">
      <dl class="facts">
        {rows
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </Section>
  );
}
