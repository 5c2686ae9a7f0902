/** The agent's own parts as C sources: without the hooks, which a program of a test cannot have. */
const agent = (name: string) => new URL(`../../agent/${name}`, import.meta.url).pathname;

export const parts = [
  'lock',
  'sandbox',
  'intern',
  'live',
  'behind',
  'weigh',
  'failed',
  'file',
  'objects',
  'sampling',
  'native',
  'python',
  'limit',
  'ask',
].map((name) => agent(`${name}.c`));
