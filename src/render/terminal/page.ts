/** What the parts of a verdict write to: it knows the width and the signs. */
import type { Recording } from '../../model/recording.ts';
import { hanging, type Line, type Span } from './layout.ts';

export interface TerminalOptions {
  /** Columns of the terminal; lines never get longer. */
  readonly columns: number;
  readonly color: boolean;
  /** false: ASCII only, for locales that are not UTF-8. */
  readonly unicode: boolean;
  readonly hyperlinks: boolean;
  /** Everything there is, instead of the short story. */
  readonly verbose: boolean;
  /** The headlines only. */
  readonly quiet: boolean;
  readonly recording?: Recording | undefined;
  /** `the 7th time since Tuesday`: the same death came before. */
  readonly again?: string | undefined;
  /** What shows everything there is; default: `--verbose`. */
  readonly more?: string | undefined;
}

export class Page {
  readonly lines: Line[] = [];
  readonly options: TerminalOptions;
  readonly width: number;
  readonly signs: Readonly<
    Record<
      | 'yes'
      | 'no'
      | 'unknown'
      | 'proves'
      | 'against'
      | 'rules'
      | 'bullet'
      | 'ellipsis'
      | 'bar'
      | 'axis'
      | 'foot'
      | 'rule'
      | 'more'
      | 'limit',
      string
    >
  >;

  constructor(options: TerminalOptions) {
    this.options = options;
    // Beyond 110 columns sentences get hard to read; the margin is one column on the right.
    this.width = Math.min(Math.max(options.columns, 40), 110) - 1;
    this.signs = options.unicode
      ? {
          yes: '✖',
          no: '✔',
          unknown: '?',
          proves: '✔',
          against: '!',
          rules: '✘',
          bullet: '•',
          ellipsis: '…',
          bar: '█',
          axis: '┤',
          foot: '┴',
          rule: '─',
          more: '▸',
          limit: '┄',
        }
      : {
          yes: 'X',
          no: 'OK',
          unknown: '?',
          proves: '+',
          against: '!',
          rules: 'x',
          bullet: '*',
          ellipsis: '...',
          bar: '#',
          axis: '|',
          foot: '+',
          rule: '-',
          more: '>',
          limit: '-',
        };
  }
  add(...lines: readonly Line[]): void {
    this.lines.push(...lines);
  }
  gap(): void {
    if (this.lines.length > 0 && this.lines.at(-1)?.length !== 0) this.lines.push([]);
  }
  text(spans: Line, indent = 2): void {
    this.add(...hanging([{ text: ' '.repeat(indent) }], spans, this.width));
  }
  title(text: string): void {
    this.gap();
    this.text([{ text, style: ['bold'] }]);
  }
  item(sign: Span, spans: Line, indent = 2): void {
    this.add(...hanging([{ text: ' '.repeat(indent) }, sign, { text: ' ' }], spans, this.width));
  }
  /** A command to copy: never wrapped, since a broken command cannot be pasted. */
  command(text: string, indent: number): void {
    for (const line of text.split('\n'))
      this.add([
        { text: ' '.repeat(indent) },
        { text: '$ ', style: ['dim'] },
        { text: line, style: ['cyan'] },
      ]);
  }
}
