/** Our own documents (headings, paragraphs, lists, code, tables) as text for a terminal. */
import { safeCopy } from './safe-text.ts';
import { hanging, inked, type Ink, type Line, type Span } from './terminal/layout.ts';

export interface MarkdownOptions extends Ink {
  readonly columns: number;
}

export function renderMarkdown(markdown: string, options: MarkdownOptions): string {
  const width = Math.min(Math.max(options.columns, 40), 100) - 1;
  const lines: Line[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    if (paragraph.length === 0) return;
    const text = paragraph.join(' ');
    paragraph = [];
    const item = /^(\s*)(?:[-*]|(\d+\.)) +(.*)$/s.exec(text);
    const bullet = item?.[2] ?? (options.unicode ? '•' : '*');
    const first: Line =
      item === null
        ? [{ text: '  ' }]
        : [{ text: `  ${item[1]}` }, { text: bullet, style: ['dim'] }, { text: ' ' }];
    lines.push(...hanging(first, inline(item?.[3] ?? text), width));
  };
  let fenced = false;
  let afterHeading = false;
  for (const line of safeCopy(markdown, !options.unicode).split('\n')) {
    if (line.startsWith('```')) {
      flush();
      fenced = !fenced;
      continue;
    }
    if (fenced) {
      lines.push([{ text: '    ' }, { text: line, style: ['cyan'] }]);
      continue;
    }
    const heading = /^(#+) +(.*)$/.exec(line);
    if (heading !== null) {
      flush();
      afterHeading = true;
      lines.push(
        ...hanging(
          [{ text: '  ' }],
          [{ text: (heading[2] ?? '').replaceAll('`', ''), style: ['bold'] }],
          width,
        ),
      );
    } else if (line.trim() === '') {
      flush();
      if (lines.at(-1)?.length !== 0 && !afterHeading) lines.push([]);
    } else if (/^\s*(?:[-*]|\d+\.) /.test(line)) {
      afterHeading = false;
      flush();
      paragraph = [line];
    } else if (/^\|.*\|$/.test(line)) {
      flush();
      if (!/^\|[ :|-]+\|$/.test(line))
        lines.push(
          ...hanging(
            [{ text: '    ' }],
            inline(
              line
                .slice(1, -1)
                .split('|')
                .map((cell) => cell.trim())
                .join('  '),
            ),
            width,
          ),
        );
    } else {
      afterHeading = false;
      paragraph.push(line.trim());
    }
  }
  flush();
  while (lines.at(-1)?.length === 0) lines.pop();
  return inked(lines, options);
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
