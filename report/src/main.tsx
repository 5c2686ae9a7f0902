import { render } from 'preact';
import type { PageData } from '../../src/model/page.ts';
import { App } from './app.tsx';

const text = document.querySelector('#data')?.textContent ?? '';
const root = document.querySelector('#app');
if (root !== null) {
  const data = JSON.parse(text) as PageData | 'coroner-data';
  if (data === 'coroner-data')
    root.textContent = 'This is the empty page: coroner show --html fills it.';
  else render(<App data={data} />, root);
}
