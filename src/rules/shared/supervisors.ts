/** Where the limit is set of supervisors that watch single workers. */
export const supervisorSetting: Readonly<Record<string, string>> = {
  pm2: 'max_memory_restart (--max-memory-restart) of PM2',
  celery: 'worker_max_memory_per_child of celery, in KiB',
  puma_worker_killer:
    'config.ram and config.percent_usage of puma_worker_killer: the limit of all workers together',
  'unicorn-worker-killer':
    'the memory_limit_min and memory_limit_max of Unicorn::WorkerKiller::Oom',
  memmon: 'the -p, -g or -a option of memmon in supervisord.conf',
  monit: 'the "if total memory > …" of the service in monitrc',
  odoo: 'limit_memory_soft and limit_memory_hard of Odoo',
  IIS: 'Private Memory Limit and Virtual Memory Limit of the application pool (recycling.periodicRestart)',
  uWSGI: 'evil-reload-on-rss and evil-reload-on-as of uWSGI',
};
