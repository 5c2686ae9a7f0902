/** A table of wordings for "I ended this for its memory", and the reader that the parsers of such records share. */
import { defined } from '../../model/defined.ts';
import type { Cause, Death } from '../../model/causes.ts';
import type { KillerRecord } from '../../model/evidence.ts';
import type { Limit, LimitOwner, ProcessRole } from '../../model/report.ts';
import type { Input, Parser } from '../parser.ts';
import { isDefinition, lineAt, readPhrases, type Found } from './lines.ts';
import { integer, sizeBytes } from './sizes.ts';

export interface KillerWording {
  readonly reporter: string;
  readonly cause: Cause;
  readonly death?: Death;
  readonly variant?: string;
  readonly literal: string;
  /** Groups taken where they took part: `pid`, `name`, `uid`, `subject`, `limit`, `used`, `code`, `signal`, `cgroup`. */
  readonly pattern: RegExp;
  readonly message: string;
  readonly owner?: LimitOwner;
  readonly sourceKind?: 'direct' | 'indirect';
  readonly span?: number;
  /** More than the groups tell; nothing where it is not what it seemed. */
  readonly refine?: (found: Found, record: KillerRecord) => KillerRecord | undefined;
  /** Sizes of this killer are powers of 1000. */
  readonly decimal?: boolean;
}

export function* readKillers(
  input: Input,
  source: string,
  wordings: readonly KillerWording[],
): Iterable<KillerRecord> {
  yield* readPhrases<KillerRecord>(
    input,
    source,
    wordings.map((wording) => ({
      literal: wording.literal,
      pattern: wording.pattern,
      ...defined({ span: wording.span }),
      make: (found) => recordOf(wording, found),
    })),
  );
}

function recordOf(wording: KillerWording, found: Found): KillerRecord | undefined {
  if (isDefinition(lineAt(found.input, found.index))) return undefined;
  const { pid, name, uid, subject, limit, used, code, signal, cgroup } = found.groups;
  const unit = wording.decimal === true ? 'decimal' : 'binary';
  const number = integer(pid);
  const bytes = limit === undefined ? undefined : sizeBytes(limit, unit);
  const victim: ProcessRole = {
    ...defined({ pid: number }),
    ...(name === undefined || name.trim() === '' ? {} : { name: name.trim() }),
    ...(integer(uid) === undefined ? {} : { uid: integer(uid)! }),
    ...defined({ cgroup }),
  };
  const usedBytes = used === undefined ? undefined : sizeBytes(used, unit);
  const exitCode = integer(code);
  const limitRole: Limit | undefined =
    bytes === undefined ? undefined : { owner: wording.owner ?? 'unknown', bytes };
  const record: KillerRecord = {
    kind: 'killer-record',
    origin: found.origin,
    reporter: wording.reporter,
    cause: wording.cause,
    ...defined({ death: wording.death, variant: wording.variant }),
    message: wording.message,
    ...(Object.keys(victim).length === 0 ? {} : { victim }),
    ...defined({ subject, limit: limitRole, usedBytes }),
    sourceKind: wording.sourceKind ?? 'direct',
    ...defined({ exitCode, signal }),
  };
  return wording.refine === undefined ? record : wording.refine(found, record);
}

export const killerParser = (
  id: string,
  title: string,
  wordings: readonly KillerWording[],
): Parser => ({
  id,
  title,
  literals: [...new Set(wordings.map(({ literal }) => literal))],
  parse: (input) => readKillers(input, id, wordings),
});
