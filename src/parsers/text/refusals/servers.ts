/** Databases and other servers. */
import {
  lockedMemory,
  mapCountCheck,
  redisLimit,
  serverLockTable,
  sqliteOther,
} from '../known-words.ts';
import type { Refusal } from './refusal.ts';

export const servers: readonly Refusal[] = [
  {
    reporter: 'PostgreSQL',
    literal: 'Failed on request of size',
    raises: true,
    pattern:
      /(?:ERROR|FATAL): {1,2}out of memory.{0,80}?(?:DETAIL|[Dd]etail): {1,2}Failed on request of size \d+.{0,80}/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'could not fork new process',
    raises: true,
    variant: 'fork',
    pattern: /could not fork new process for connection: Cannot allocate memory/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'could not map anonymous shared memory',
    raises: true,
    pattern: /could not map anonymous shared memory: Cannot allocate memory/,
  },
  {
    reporter: 'MySQL',
    literal: 'Cannot allocate memory for the buffer pool',
    raises: true,
    pattern: /InnoDB: Cannot allocate memory for the buffer pool/,
  },
  {
    reporter: 'MySQL',
    literal: 'errno 12',
    raises: true,
    pattern: /(?:InnoDB: )?mmap\(\d+ bytes\) failed; errno 12/,
  },
  {
    reporter: 'Redis',
    literal: 'command not allowed when used',
    ...redisLimit.means,
    raises: true,
    pattern: /(?:OOM )?command not allowed when used memory > 'maxmemory'/,
  },
  {
    // The fork of a save or a rewrite: the server goes on, and tries again.
    reporter: 'Redis',
    literal: 'in background: fork: ',
    variant: 'background-fork',
    raises: true,
    pattern:
      /Can't (?:save|rewrite append only file) in background: fork: (?:Cannot allocate memory|Out of memory)/,
  },
  {
    reporter: 'SQLite',
    literal: 'out of memory (',
    ...sqliteOther.means,
    raises: true,
    pattern: sqliteOther.pattern,
  },
  {
    reporter: 'Elasticsearch',
    literal: 'vm.max_map_count',
    ...mapCountCheck.means,
    raises: true,
    pattern: mapCountCheck.pattern,
  },
  {
    reporter: 'MongoDB',
    literal: 'exceeded memory limit of',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern: /[Ss]ort exceeded memory limit of \d{1,15} bytes.{0,80}/,
  },
  {
    reporter: 'MySQL',
    literal: 'Out of sort memory',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern: /Out of sort memory, consider increasing server sort buffer size/,
  },
  {
    reporter: 'Oracle',
    literal: 'ORA-04031',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern: /ORA-04031: unable to allocate \d{1,15} bytes of shared memory.{0,120}/,
  },
  {
    reporter: 'Oracle',
    literal: 'ORA-04030',
    raises: true,
    pattern: /ORA-04030: out of process memory when trying to allocate \d{1,15} bytes/,
  },
  {
    reporter: 'Elasticsearch',
    literal: 'nable to lock JVM ',
    ...lockedMemory,
    raises: true,
    pattern: /[Uu]nable to lock JVM [Mm]emory: error=12/,
  },
  {
    reporter: 'Elasticsearch',
    literal: 'Data too large',
    resource: 'language-heap',
    variant: 'circuit-breaker',
    raises: true,
    pattern:
      /(?<!Exception.{0,20})\[(?:parent|request|fielddata|in_flight_requests|accounting)\] Data too large.{0,200}/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'out of shared memory',
    ...serverLockTable,
    raises: true,
    pattern: /out of shared memory.{0,200}max_(?:locks|pred_locks)_per_transaction/,
  },
  {
    reporter: 'ClickHouse',
    literal: 'emory limit ',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern: /Memory limit \(.{1,40}\) exceeded: would use .{1,120}maximum: [\d.]{1,12} \w{1,4}/,
  },
  {
    reporter: 'Trino',
    literal: 'memory limit of',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern:
      /Query exceeded (?:per-node|distributed)(?: user| total)? memory limit of [\d.]{1,12}\w{1,4}/,
  },
  {
    reporter: 'Spark',
    literal: 'spark.driver.maxResultSize',
    resource: 'language-heap',
    variant: 'spark-result-size',
    raises: true,
    pattern: /Total size of serialized results.{0,120}is bigger than spark\.driver\.maxResultSize/,
  },
];
