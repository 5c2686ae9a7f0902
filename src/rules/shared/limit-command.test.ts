import { expect, test } from 'vitest';
import { limitCommand } from './limit-command.ts';

const id = '0123456789abcdef'.repeat(4);

test.each([
  [`/docker/${id}`, 'docker update --memory 200m --memory-swap 200m 0123456789ab'],
  [
    `/system.slice/docker-${id}.scope`,
    'docker update --memory 200m --memory-swap 200m 0123456789ab',
  ],
  [
    `/kubepods.slice/kubepods-burstable.slice/cri-containerd-${id}.scope`,
    'kubectl set resources deployment NAME --requests=memory=200Mi --limits=memory=200Mi',
  ],
  ['/system.slice/batch.service', 'systemctl set-property batch.service MemoryMax=200M'],
  [
    '/user.slice/user-1000.slice/user@1000.service/app.slice/job.service',
    'systemctl set-property job.service MemoryMax=200M',
  ],
  ['/slurm/uid_1000/job_17/step_0', 'sbatch --mem=200M SCRIPT'],
  ['/user.slice/user-1000.slice', null],
  ['/job', null],
])('%s', (path, command) => {
  expect(limitCommand(path, 200 * 2 ** 20)).toBe(command);
});
