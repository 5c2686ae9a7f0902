/** Our own documents (headings, paragraphs, lists, code, tables) as text for a terminal. */
import { safeCopy } from './safe-text.ts';
import { hanging, inked, type Ink, type Line, type Span } from './terminal/layout.ts';

export interface MarkdownOptions extends Ink {
  readonly columns: number;
}

export function renderMarkdown(markdown: string, options: MarkdownOptions): string {
  const width = Math.min(Math.max(options.columns, 40), 100) - 1;
  const writer = new Writer(width, options.unicode ? '•' : '*');
  let isFenced = false;
  for (const line of safeCopy(markdown, !options.unicode).split('\n'))
    if (line.startsWith('```')) {
      writer.flush();
      isFenced = !isFenced;
    } else if (isFenced) writer.code(line);
    else writer.line(line);
  return inked(writer.end(), options);
}

/** Lines of a document one after the other; those of a paragraph are joined and wrapped anew. */
class Writer {
  readonly #lines: Line[] = [];
  readonly #width: number;
  readonly #bullet: string;
  #paragraph: string[] = [];
  /** A heading stands right above its text. */
  #isAfterHeading = false;

  constructor(width: number, bullet: string) {
    this.#width = width;
    this.#bullet = bullet;
  }
  code(line: string): void {
    this.#lines.push([{ text: '    ' }, { text: line, style: ['cyan'] }]);
  }
  line(line: string): void {
    const heading = /^#+ +(.*)$/.exec(line)?.[1];
    if (heading !== undefined) this.#heading(heading);
    else if (line.trim() === '') this.#gap();
    else if (/^\|.*\|$/.test(line)) this.#tableRow(line);
    else {
      if (/^\s*(?:[-*]|\d+\.) /.test(line)) {
        this.flush();
        this.#paragraph = [line];
      } else this.#paragraph.push(line.trim());
      this.#isAfterHeading = false;
    }
  }
  /** Writes the paragraph or item that was begun. */
  flush(): void {
    if (this.#paragraph.length === 0) return;
    const text = this.#paragraph.join(' ');
    this.#paragraph = [];
    const item = /^(\s*)(?:[-*]|(\d+\.)) +(.*)$/s.exec(text);
    if (item === null) {
      this.#wrapped([{ text: '  ' }], inline(text));
      return;
    }
    const [, indent = '', number, rest = ''] = item;
    const sign: Span = { text: number ?? this.#bullet, style: ['dim'] };
    this.#wrapped([{ text: `  ${indent}` }, sign, { text: ' ' }], inline(rest));
  }
  end(): readonly Line[] {
    this.flush();
    while (this.#lines.at(-1)?.length === 0) this.#lines.pop();
    return this.#lines;
  }
  #heading(text: string): void {
    this.flush();
    this.#isAfterHeading = true;
    this.#wrapped([{ text: '  ' }], [{ text: text.replaceAll('`', ''), style: ['bold'] }]);
  }
  #gap(): void {
    this.flush();
    if (this.#lines.at(-1)?.length !== 0 && !this.#isAfterHeading) this.#lines.push([]);
  }
  #tableRow(line: string): void {
    this.flush();
    if (/^\|[ :|-]+\|$/.test(line)) return;
    const cells = line.slice(1, -1).split('|');
    this.#wrapped([{ text: '    ' }], inline(cells.map((cell) => cell.trim()).join('  ')));
  }
  #wrapped(first: Line, rest: readonly Span[]): void {
    this.#lines.push(...hanging(first, rest, this.#width));
  }
}

/** Code, strong words and links; a link to another page of ours is the name that `coroner explain` takes. */
function inline(text: string): readonly Span[] {
  const spans: Span[] = [];
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/)) {
    if (part === '') continue;
    const link = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(part);
    if (link !== null) {
      const [, label = '', target = ''] = link;
      spans.push(
        target.startsWith('http')
          ? { text: label.replaceAll('`', ''), style: ['cyan'], link: target }
          : { text: label.replaceAll('`', ''), style: ['cyan'] },
      );
    } else if (part.startsWith('`')) spans.push({ text: part.slice(1, -1), style: ['cyan'] });
    else if (part.startsWith('**')) spans.push({ text: part.slice(2, -2), style: ['bold'] });
    else spans.push({ text: part });
  }
  return spans;
}
