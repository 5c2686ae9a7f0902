/** Ubuntu's crash reports, /var/crash/*.crash: deb822 fields. The core inside (base64 of gzip) is not unpacked here. */
import { defined } from '../../model/defined.ts';
import type { Parser } from '../parser.ts';
import { signalByText } from '../../model/signals.ts';
import { isoTimeIn } from '../../model/units.ts';

export const apport: Parser = {
  id: 'apport',
  title: "Apport's crash reports in /var/crash",
  literals: ['ProblemType: Crash'],
  *parse({ name, lines }) {
    for (let index = 0; index < lines.length; index += 1) {
      const line = lines[index]!;
      if (line.text !== 'ProblemType: Crash') continue;
      const fields = new Map<string, string>();
      let key = '';
      let behind = index + 1;
      for (; behind < lines.length && lines[behind]!.text !== 'ProblemType: Crash'; behind += 1) {
        const { text } = lines[behind]!;
        const field = /^([A-Z][A-Za-z.]+):(?: (.*))?$/.exec(text);
        if (field !== null) {
          key = field[1]!;
          if (!fields.has(key)) fields.set(key, field[2] ?? '');
        } else if (text.startsWith(' ') && key !== 'CoreDump' && key !== '')
          fields.set(key, `${fields.get(key) ?? ''}\n${text.slice(1)}`);
        // A line of something else: what follows it is not this field's.
        else if (!text.startsWith(' ')) key = '';
      }
      index = behind - 1;
      const status = fields.get('ProcStatus') ?? '';
      const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
      const kibibytes = (title: string) =>
        number(new RegExp(`^${title}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]);
      const pid = number(/^Pid:\s*(\d+)/m.exec(status)?.[1]);
      const comm = /^Name:\s*(\S.*)$/m.exec(status)?.[1];
      const signal = fields.get('Signal')?.split('\n', 1)[0];
      const executable = fields.get('ExecutablePath');
      const command = fields.get('ProcCmdline');
      const [vm, hwm] = [kibibytes('VmPeak'), kibibytes('VmHWM')];
      const wall = isoTimeIn(`${fields.get('Date') ?? ''} UTC`);
      const maps = fields
        .get('ProcMaps')
        ?.split('\n')
        .filter((map) => /^[0-9a-f]+-[0-9a-f]+ /.test(map)).length;
      if (signal === undefined) continue;
      yield {
        kind: 'core-dump',
        record: 'apport',
        origin: {
          source: 'apport',
          place: `${name}:${line.number}`,
          line: line.number,
          quote: `Signal: ${signal}`,
        },
        ...(wall === undefined ? {} : { when: { wall } }),
        ...defined({ pid, name: comm, executable, command }),
        signal: signalByText(signal.trim()),
        ...(vm === undefined ? {} : { peakVmBytes: vm * 1024 }),
        ...(hwm === undefined ? {} : { peakRssBytes: hwm * 1024 }),
        ...(maps === undefined || maps === 0 ? {} : { mapCount: maps }),
      };
    }
  },
};
