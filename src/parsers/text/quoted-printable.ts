interface Piece {
  readonly number: number;
  readonly last: number;
  readonly text: string;
  readonly raw: string;
}

const encoded = /=(?:3D|20|09|[C-F][0-9A-F]=[89AB][0-9A-F])/;
const softBreak = /[^=]=$/;
const escapes = /(?:=[0-9A-F]{2})+/g;

/** Undoes quoted-printable (RFC 2045 section 6.7) where the lines show its traces: soft breaks and `=3D`. */
export function decodeQuotedPrintable(lines: readonly Piece[]): readonly Piece[] {
  let breaks = 0;
  let codes = 0;
  for (const { text } of lines) {
    if (softBreak.test(text) && text.length <= 78) breaks += 1;
    if (encoded.test(text)) codes += 1;
  }
  if (breaks === 0 || (codes === 0 && breaks < 2)) return lines;
  const joined: Piece[] = [];
  let open = false;
  for (const line of lines) {
    const before = joined.at(-1);
    const soft = softBreak.test(line.text) && line.text.length <= 78;
    const text = soft ? line.text.slice(0, -1) : line.text;
    if (open && before !== undefined && before.text.length < 8192)
      joined[joined.length - 1] = {
        ...before,
        last: line.last,
        text: before.text + text,
        raw: `${before.raw}\n${line.raw}`,
      };
    else joined.push({ ...line, text });
    open = soft;
  }
  return codes === 0 ? joined : joined.map((line) => ({ ...line, text: decode(line.text) }));
}

function decode(text: string): string {
  return text.replace(escapes, (run) =>
    new TextDecoder().decode(
      Uint8Array.from(run.slice(1).split('='), (hex) => Number.parseInt(hex, 16)),
    ),
  );
}
