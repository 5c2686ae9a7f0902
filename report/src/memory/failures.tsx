/** The allocations that failed. */
import type { JSX } from 'preact';
import type { MemoryPicture, StackFrame } from '../../../src/model/report.ts';
import { informativeFrame, placeOf } from '../../../src/model/stack.ts';
import { formatBytes } from '../../../src/model/units.ts';
import { count } from '../labels.ts';
import { Section } from '../parts.tsx';

export function Failures({ memory }: { memory: MemoryPicture }): JSX.Element | null {
  const failures = memory.failures ?? [];
  if (failures.length === 0) return null;
  return (
    <Section id="failures" title="Allocations that failed" note={count(failures.length, 'time')}>
      <div class="scroll" tabIndex={0} role="group" aria-label="Failed allocations">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col" class="number">
                Asked for
              </th>
              <th scope="col">Answer</th>
              <th scope="col">Who asked</th>
              <th scope="col">Where</th>
            </tr>
          </thead>
          <tbody>
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
          </tbody>
        </table>
      </div>
    </Section>
  );
}

function placeOfFailure(stack: readonly StackFrame[]): string {
  const frame = informativeFrame(stack);
  return frame === undefined ? '' : placeOf(frame);
}
