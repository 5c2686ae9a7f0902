/** The allocations that failed. */
import type { JSX } from 'preact';
import type { MemoryPicture, StackFrame } from '../../../src/model/report.ts';
import { informativeFrame, placeOf } from '../../../src/model/stack.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { count } from '../labels.ts';
import { DataTable, Section } from '../parts.tsx';

export function Failures({ memory }: { memory: MemoryPicture }): JSX.Element | null {
  const failures = memory.failures ?? [];
  if (failures.length === 0) return null;
  return (
    <Section id="failures" title="Allocations that failed" note={count(failures.length, 'time')}>
      <DataTable
        label="Failed allocations"
        headings={['#Asked for', 'Answer', 'Who asked', 'Where']}
        cards
      >
        {failures.slice(0, 200).map(({ bytes, errno, caller, stack }, index) => (
          <tr key={index}>
            <td class="number">{formatBytes(bytes)}</td>
            <td class="code">{errno}</td>
            <td>{caller ?? ''}</td>
            <td>
              <code>{placeOfFailure(stack)}</code>
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function placeOfFailure(stack: readonly StackFrame[]): string {
  const frame = informativeFrame(stack);
  return frame === undefined ? '' : placeOf(frame);
}
