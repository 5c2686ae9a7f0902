/** What coroner itself writes about a death. It is never evidence: a verdict would prove itself. */
export type OutputKind =
  | 'json'
  | 'html'
  | 'speedscope'
  | 'pprof'
  | 'collapsed'
  | 'junit'
  | 'sarif'
  | 'termination-log';

export const outputNames: Readonly<Record<OutputKind | 'terminal' | 'markdown', string>> = {
  json: 'a JSON report',
  html: 'a page',
  speedscope: 'a speedscope profile',
  pprof: 'a pprof profile',
  collapsed: 'a file of collapsed stacks',
  junit: 'a JUnit report',
  sarif: 'a SARIF report',
  'termination-log': 'a termination log',
  terminal: 'a verdict as it stands on a terminal',
  markdown: 'a verdict in Markdown',
};

/** How many bytes of an output tell which it is. */
export const headBytes = 4096;

/** Colours and links of a terminal, which a file may have kept. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const escapes = /\u001B(?:\[[\d;]{0,20}m|\]8;[^\u0007\u001B]{0,500}(?:\u0007|\u001B\\))/g;

/** `(?<![^])` is the start of the text where `^` is that of a line: what stands further down is a log that quotes a verdict. */
const marks: readonly (readonly [keyof typeof outputNames, RegExp])[] = [
  ['json', /^\s*\{\s*"format":\s*"coroner\//],
  ['html', /^\s*<!doctype html>[^]*<title>coroner<\/title>/i],
  ['speedscope', /^\s*\{[^]*"exporter":\s*"coroner@/],
  ['collapsed', /^coroner 0(?:\n|$)/],
  ['junit', /^<\?xml[^>]*>\s*<testsuites[^>]*>\s*<testsuite name="coroner"/],
  ['sarif', /^\s*\{[^]*"driver":\s*\{\s*"name":\s*"coroner"/],
  // The headline, shortened where it is very long, and the first of the five answers.
  ['termination-log', /^[^\n]{1,700}(?:\]|…)\nWas it memory\? /],
  // The banner, and the first of the five questions below it.
  ['terminal', /(?<![^])\s*\S{1,3} [A-Z][A-Z ]{3,40} {2,}[^]*^ {2}Was it memory\? /m],
  ['terminal', /(?<![^])\s*\d+ incidents, (?:none|\d+) of them out of memory$/m],
  [
    'markdown',
    /(?<![^])(?:\d+ earlier incidents are not shown\.\n\n)?### \S{1,4} [^]*^\| \*\*Was it memory\?\*\* \|/m,
  ],
];

/** Which output of coroner's the text begins as; null: none. `head` is its first `headBytes` at most. */
export function ownOutput(head: string): keyof typeof outputNames | null {
  const text = head.slice(0, headBytes).replaceAll(escapes, '');
  return marks.find(([, mark]) => mark.test(text))?.[0] ?? null;
}
