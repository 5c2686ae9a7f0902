import { render } from 'preact';
import type { PageData } from '../../src/model/page.ts';
import { App } from './app.tsx';
import { inflate } from './unpack.ts';

/** What src/render/html.ts put into the page: the data, or the data deflated; or nothing yet. */
type Embedded = PageData | { readonly deflated: string } | 'coroner-data';

async function read(text: string): Promise<PageData | null> {
  const embedded = JSON.parse(text) as Embedded;
  if (embedded === 'coroner-data') return null;
  return 'deflated' in embedded
    ? (JSON.parse(new TextDecoder().decode(await inflate(embedded.deflated))) as PageData)
    : embedded;
}

const root = document.querySelector('#app');
if (root !== null) {
  try {
    const data = await read(document.querySelector('#data')?.textContent ?? '');
    if (data === null) root.textContent = 'This is the empty page: coroner show --html fills it.';
    else render(<App data={data} />, root);
  } catch (error) {
    root.textContent = `This page is damaged, or the browser is too old for it (${String(error)}). coroner show prints the verdict in a terminal.`;
  }
}
