import type { Advice } from '../../model/finding.ts';
import type { KillerRecord } from '../../model/evidence.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule } from '../shared/define-rule.ts';
import { killerFindings } from '../shared/killer-records.ts';
import { remedy } from '../shared/remedies.ts';

export const jobSchedulerLimit = defineRule({
  id: 'job-scheduler-limit',
  title: "The job scheduler's memory limit ended it",
  needs: ['killer-record'],
  uses: ['stated-limit'],
  judge: ({ 'killer-record': records, 'stated-limit': limits }) =>
    killerFindings(
      records,
      {
        cause: 'job-scheduler-limit',
        called: (label) => (/^\d[\d._+[\]-]*$/.test(label) ? `job ${label}` : label),
        remedies,
        limitOf: ['job'],
      },
      { limits },
    ),
});

const ask: Readonly<Record<string, string>> = {
  slurm: '#SBATCH --mem=… (per node) or --mem-per-cpu=…',
  pbs: '#PBS -l mem=…',
  lsf: '#BSUB -M … -R "rusage[mem=…]"',
  sge: '#$ -l h_vmem=…',
  htcondor: 'request_memory = …',
  yarn: '--executor-memory and spark.executor.memoryOverhead (Spark), mapreduce.map.memory.mb, mapreduce.reduce.memory.mb (MapReduce)',
};

const look: Readonly<Record<string, string>> = {
  slurm: 'sacct -j JOBID --format=JobID,State,ExitCode,ReqMem,MaxRSS; seff JOBID',
  pbs: 'qstat -xf JOBID | grep -i mem',
  lsf: 'bjobs -l JOBID; bhist -l JOBID',
  sge: 'qacct -j JOBID | grep -E "maxvmem|failed|exit_status"',
  htcondor: 'condor_history -l JOBID | grep -i -E "memory|hold"',
  yarn: 'yarn logs -applicationId APPLICATION',
};

function remedies({ reporter, variant, limit, usedBytes }: KillerRecord): readonly Advice[] {
  if (variant === 'virtual-memory')
    return [remedy('allow-virtual-memory'), remedy('fewer-workers')];
  const size =
    limit?.bytes == null
      ? ''
      : ` It had ${formatBytes(limit.bytes)}${usedBytes === undefined ? '' : ` and used ${formatBytes(usedBytes)}`}.`;
  return [
    remedy('raise-job-limit', ask[reporter], size, look[reporter] ?? null),
    remedy('fewer-processes'),
  ];
}
