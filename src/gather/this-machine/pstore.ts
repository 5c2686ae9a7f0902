import { join } from 'node:path';
import { isFileRefusal, openNamed, readSafely } from '../../files/open-safely.ts';
import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import { entriesOf, fileAbout } from './folders.ts';
import type { Machine } from './machine.ts';
import type { Gathered } from '../../model/gathered.ts';

/** What a panicking kernel left in firmware or reserved memory: /sys/fs/pstore, and where systemd-pstore moves it. */
export async function gatherPstore(machine: Machine): Promise<Gathered> {
  const { roots, readStream } = machine;
  const evidence: Evidence[] = [];
  const sources: SourceReport[] = [];
  const folder = join(roots.sys, 'fs/pstore');
  const places = [folder, roots.systemdPstore];
  const listed = entriesOf(roots.systemdPstore);
  if ('names' in listed)
    places.push(...listed.names.slice(0, 200).map((name) => join(roots.systemdPstore, name)));
  for (const place of places) {
    const entries = entriesOf(place);
    if ('status' in entries) {
      if (place === folder || entries.status === 'denied')
        sources.push({
          id: 'pstore',
          place,
          status: entries.status,
          ...(entries.status === 'denied' ? { command: `sudo ls ${place}` } : {}),
        });
      continue;
    }
    const records = entries.names
      .filter((name) => /^(?:dmesg|console)-/.test(name))
      .map((name) => readRecord(join(place, name)))
      .filter((record) => record !== null);
    if (records.length === 0) {
      if (place === folder)
        sources.push({ id: 'pstore', place, status: 'read', detail: 'no crash is stored there' });
      continue;
    }
    // The end of the log is written first, as Part1: the parts in falling order are the log.
    records.sort((a, b) => a.changedMs - b.changedMs || b.part - a.part);
    const part = await readStream(
      (async function* () {
        for (const { text } of records) yield Buffer.from(text);
      })(),
      place,
    );
    evidence.push(...part.evidence);
    sources.push({ id: 'pstore', place, status: 'read', detail: `${records.length} records` });
  }
  return { evidence, sources };
}

const maxRecordBytes = 4 << 20;

function readRecord(
  path: string,
): { readonly text: string; readonly part: number; readonly changedMs: number } | null {
  const about = fileAbout(path);
  if (about === null) return null;
  const limits = { mostBytes: maxRecordBytes };
  const bytes = readSafely(openNamed(path, limits), limits.mostBytes);
  if (isFileRefusal(bytes)) return null;
  const text = bytes.toString('utf8');
  const header = /^(?:Panic|Oops)#\d+ Gathered(\d+)\n/.exec(text);
  return {
    text: header === null ? text : text.slice(header[0].length),
    part: Number(header?.[1] ?? 0),
    // Parts of one crash are written within a second or two.
    changedMs: Math.floor(about.changedMs / 10_000),
  };
}
