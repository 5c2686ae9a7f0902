/**
 * The agent's file as it stays on the disk: 3.9 MB of tables of a fixed size, of which a short program fills a hundredth. Where each
 * table lies is said in the header (struct coroner_section in agent/layout.h), so the used rows can stand one behind the other.
 */
import { readSync } from 'node:fs';
import { header } from '../model/agent-header.ts';

const magic = 'CORONERA';
const sectionBytes = 16;
/** As in agent/layout.h. Rows of the live table are the agent's own index and nobody's afterwards. */
const liveSection = 5;
const longestStride = 4096;

/**
 * The header and the used rows. null: it is none of the agent's, contradicts itself, or is cut off: then it stays as it is.
 * `size`: of the file in bytes.
 */
export function compacted(fd: number, size: number): Buffer | null {
  const head = Buffer.alloc(header.end);
  if (readSync(fd, head, 0, head.length, 0) !== head.length) return null;
  if (head.toString('latin1', 0, 8) !== magic || head.readUInt32LE(header.version) !== 1)
    return null;
  const parts = [head];
  let end = head.length;
  for (let at = header.sections, index = 0; at < header.end; at += sectionBytes, index += 1) {
    const offset = head.readUInt32LE(at);
    const stride = head.readUInt32LE(at + 4);
    const capacity = head.readUInt32LE(at + 8);
    const used = head.readUInt32LE(at + 12);
    const bytes = index === liveSection ? 0 : stride * used;
    if (stride === 0 || stride > longestStride || used > capacity || offset + bytes > size)
      return null;
    const rows = Buffer.alloc(Math.ceil(bytes / 8) * 8);
    if (readSync(fd, rows, 0, bytes, offset) !== bytes) return null;
    const kept = index === liveSection ? 0 : used;
    for (const [field, value] of [end, stride, kept, kept].entries())
      head.writeUInt32LE(value, at + 4 * field);
    parts.push(rows);
    end += rows.length;
    if (end > size) return null;
  }
  return Buffer.concat(parts);
}
