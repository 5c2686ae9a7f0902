/** Our own pages of causes and smells: headings, paragraphs, lists, code. Text only ever becomes text nodes. */
import type { ComponentChildren, JSX } from 'preact';

export function Markdown({ text }: { text: string }): JSX.Element {
  const blocks: JSX.Element[] = [];
  let items: string[] = [];
  let paragraph: string[] = [];
  let code: string[] | null = null;
  const flush = (): void => {
    if (paragraph.length > 0) blocks.push(<p key={blocks.length}>{inline(paragraph.join(' '))}</p>);
    if (items.length > 0)
      blocks.push(
        <ul key={blocks.length}>
          {items.map((item, index) => (
            <li key={index}>{inline(item)}</li>
          ))}
        </ul>,
      );
    [paragraph, items] = [[], []];
  };
  // The first heading is the title of what it stands below.
  for (const line of text.replace(/^# .*\n/, '').split('\n')) {
    if (line.startsWith('```')) {
      if (code === null) {
        flush();
        code = [];
      } else {
        blocks.push(
          <pre key={blocks.length} tabIndex={0}>
            <code>{code.join('\n')}</code>
          </pre>,
        );
        code = null;
      }
    } else if (code !== null) code.push(line);
    else if (/^#+ /.test(line)) {
      flush();
      blocks.push(<h3 key={blocks.length}>{inline(line.replace(/^#+ /, ''))}</h3>);
    } else if (line.startsWith('- ')) {
      if (paragraph.length > 0) flush();
      items.push(line.slice(2));
    } else if (line.startsWith('  ') && items.length > 0)
      items.push(`${items.pop()} ${line.trim()}`);
    else if (line.trim() === '') flush();
    else {
      if (items.length > 0) flush();
      paragraph.push(line.trim());
    }
  }
  flush();
  return <div class="prose">{blocks}</div>;
}

const inline = (text: string): ComponentChildren =>
  text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/).map((part, index) => {
    if (part.startsWith('`')) return <code key={index}>{part.slice(1, -1)}</code>;
    if (part.startsWith('**')) return <strong key={index}>{part.slice(2, -2)}</strong>;
    const link = /^\[([^\]]+)\]\(/.exec(part);
    return link === null ? part : <em key={index}>{link[1]?.replaceAll('`', '')}</em>;
  });
