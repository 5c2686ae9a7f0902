/**
 * A report that can be passed on: without arguments of commands, directories and lines of source. (The environment is never
 * recorded, and secrets in command lines are masked before they are.) Log lines are evidence and stay as they are: read them before
 * passing them on.
 */
import { defined } from '../model/defined.ts';
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';

const mark = '[redacted]';

/** `python3 app.py --user x` as `python3 [redacted]`. */
const withoutArguments = (command: string): string => {
  const [program = ''] = command.split(/\s/, 1);
  return program.length === command.trim().length ? program : `${program} ${mark}`;
};

/** Fields by name, wherever they stand: a field that is added later to another part is not forgotten. */
function redacted<T>(value: T): T {
  const copy = (part: unknown, key: string): unknown => {
    if (Array.isArray(part)) {
      if (key === 'command') return part.length > 1 ? [part[0], mark] : part;
      return part.map((inner) => copy(inner, ''));
    }
    if (typeof part === 'object' && part !== null)
      return Object.fromEntries(
        Object.entries(part)
          // A stack frame's or an allocation's line of source.
          .filter(([name]) => !(name === 'text' && 'function' in part))
          .map(([name, inner]) => [name, copy(inner, name)]),
      );
    if (typeof part === 'string' && key === 'cwd') return mark;
    return part;
  };
  return copy(value, '') as T;
}

export function redactReport(report: Report): Report {
  const { incidents, ...rest } = redacted(report);
  const role = <R extends { readonly command?: string } | null>(one: R): R =>
    one?.command === undefined ? one : { ...one, command: withoutArguments(one.command) };
  return {
    ...rest,
    incidents: incidents.map((incident) => ({
      ...incident,
      victim: role(incident.victim),
      trigger: role(incident.trigger),
      culprit: role(incident.culprit),
    })),
  };
}

export function redactRecording(recording: Recording): Recording {
  const { processes, events, ...rest } = redacted(recording);
  const started = (pid: number | undefined): string => {
    const process = processes.find((one) => one.pid === pid);
    return process === undefined ? mark : `${process.name} (pid ${pid}) started`;
  };
  return {
    ...rest,
    processes: processes.map((process) => ({
      ...process,
      command: process.command === null ? null : withoutArguments(process.command),
    })),
    events: events.map((event) => {
      const { stack, ...others } = event;
      return {
        ...others,
        // The words of another version may be the whole command.
        ...(event.what === 'start' ? { text: started(event.pid) } : {}),
        ...defined({ stack }),
      };
    }),
  };
}
