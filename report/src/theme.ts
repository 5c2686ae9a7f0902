/** Light, dark, or what the system says. */
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';

export type Theme = 'light' | 'dark';
const key = 'coroner-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function remembered(): Theme | null {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : null;
  } catch {
    // Storage is refused to files in some browsers and to sandboxed frames.
    return null;
  }
}

let onPaper = false;
/** Between beforeprint and afterprint. */
export const isOnPaper = (): boolean => onPaper;

export function useTheme(): [Theme, () => void] {
  const [chosen, setChosen] = useState<Theme | null>(remembered);
  const [dark, setDark] = useState(system.matches);
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const change = (event: MediaQueryListEvent): void => setDark(event.matches);
    const before = (): void => {
      // At once and before the charts' own listeners: the paper does not wait for the next rendering.
      document.documentElement.dataset['theme'] = 'light';
      onPaper = true;
      setPrinting(true);
    };
    const after = (): void => {
      onPaper = false;
      setPrinting(false);
    };
    system.addEventListener('change', change);
    addEventListener('beforeprint', before, { capture: true });
    addEventListener('afterprint', after, { capture: true });
    return () => {
      system.removeEventListener('change', change);
      removeEventListener('beforeprint', before, { capture: true });
      removeEventListener('afterprint', after, { capture: true });
    };
  }, []);
  const theme: Theme = printing ? 'light' : (chosen ?? (dark ? 'dark' : 'light'));
  // Before the charts' own effects, which read the colours.
  useLayoutEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  const toggle = (): void => {
    const next = theme === 'dark' ? 'light' : 'dark';
    setChosen(next);
    try {
      localStorage.setItem(key, next);
    } catch {
      // Not remembered then.
    }
  };
  return [theme, toggle];
}

/** Colours for canvases, which know no CSS variables. */
export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
