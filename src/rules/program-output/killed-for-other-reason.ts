import { subjectWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { DeathNotice } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import type { Prose } from '../../model/prose.ts';
import { isUnmeant } from '../shared/asked-to-end.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { remedy } from '../shared/remedies.ts';
import { subjectOf } from '../shared/subjects.ts';

export const killedForOtherReason = defineRule({
  id: 'killed-for-other-reason',
  title: 'Killed, and whoever did it gives a reason that is not memory',
  needs: ['death-notice'],
  judge: ({ 'death-notice': notices }) => {
    const deaths: DeathNotice[][] = [];
    // Beside a death of another kind it is the tidying up: whoever lost a worker asks the others to end.
    const isAskedAlone = notices.every(
      (notice) => notice.signal === 'SIGTERM' && !isUnmeant(notice),
    );
    for (const told of notices) {
      const notice =
        isAskedAlone && told.otherReason === undefined ? { ...told, otherReason: asked } : told;
      if (notice.otherReason === undefined) continue;
      const death = deaths
        .slice(-mostOpen)
        .find((told) =>
          [...told.slice(0, mostTold), ...told.slice(-mostTold)].every((other) =>
            isSameDeath(other, notice),
          ),
        );
      if (death === undefined) deaths.push([notice]);
      else death.push(notice);
    }
    // The one that knows most of it speaks for all: `Killing process 7 (x) of unit.service` before `unit.service failed`.
    return deaths.map((told) =>
      otherReason(
        told.find(({ pid, name }) => pid !== undefined && name !== undefined) ??
          told.find(({ pid }) => pid !== undefined) ??
          told.find(({ name }) => name !== undefined) ??
          told[0]!,
      ),
    );
  },
});

const asked: Prose = 'it was asked to end (SIGTERM), which no OOM killer does';

/** Of a storm of notices each is compared with so many deaths, the last ones, and in each with so many notices at either end. */
const [mostOpen, mostTold] = [100, 4];

/** Within this time what systemd says of one unit (timed out, killing, exited, failed) is one stop of it. */
const oneStopMs = 5 * 60_000;

function isSameDeath(a: DeathNotice, b: DeathNotice): boolean {
  if (a.pid !== undefined && b.pid !== undefined && a.pid !== b.pid) return false;
  if (a.pid !== undefined && a.pid === b.pid) return true;
  const [left, right] = [a.when?.wall, b.when?.wall];
  if (left !== undefined && right !== undefined)
    if (Math.abs(Date.parse(left) - Date.parse(right)) > oneStopMs) return false;
  if (a.reporter === 'systemd' && b.reporter === 'systemd')
    return a.name === undefined || b.name === undefined || a.name === b.name;
  return (
    a.reporter === b.reporter &&
    a.resource === b.resource &&
    a.name === b.name &&
    (a.pid === undefined) === (b.pid === undefined)
  );
}

function otherReason(notice: DeathNotice): Finding {
  const shm = notice.resource === 'shm';
  return {
    subject: subjectOf(notice, notice),
    cause: shm ? 'shm-exhausted' : 'not-memory',
    variant: shm ? 'bus-error' : 'killed-by-other',
    confidence: 'strong',
    headline: shm
      ? `${subjectWithPid(notice, 'A worker')} died of a bus error: shared memory (/dev/shm) was full`
      : `${subjectWithPid(notice)} was ended for another reason than memory: ${notice.otherReason}`,
    because: [reason(notice, `${notice.reporter} gives the reason: ${notice.otherReason}`)],
    ruledOut: [
      {
        cause: 'undetermined',
        because: `${notice.reporter} itself says why it ended: ${notice.otherReason}`,
      },
    ],
    ...(notice.pid === undefined && notice.name === undefined
      ? {}
      : {
          victim: {
            ...defined({ pid: notice.pid, name: notice.name }),
          },
        }),
    remedies: [
      shm
        ? remedy('more-shared-memory', false)
        : notice.resource === 'disk' || notice.resource === 'threads'
          ? remedy('what-helps', notice.resource)
          : notice.reporter === 'multiprocessing'
            ? remedy('guard-the-main-module')
            : remedy('look-at-what-it-did'),
    ],
  };
}
