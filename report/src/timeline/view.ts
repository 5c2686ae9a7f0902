/** Which stretch of time is in the picture. */
import { useRef, useState } from 'preact/hooks';

export interface View {
  readonly fromMs: number;
  readonly toMs: number;
  readonly spanMs: number;
  /** Of all there is. */
  readonly endMs: number;
  readonly isWhole: boolean;
  /** Shows a stretch, moved and widened to what there is to show. */
  show(fromMs: number, widthMs: number): void;
  /** The same with the next frame: of several calls between two frames the last one counts. */
  readonly showSoon: (fromMs: number, widthMs: number) => void;
  showAll(): void;
  /** Below 1 nearer. The centre stays where it is, or the middle does. */
  zoom(factor: number, centreMs: number | null): void;
}

export function useView(endMs: number): View {
  const [range, setRange] = useState<{ readonly fromMs: number; readonly toMs: number } | null>(
    null,
  );
  const { fromMs, toMs } = range ?? { fromMs: 0, toMs: endMs };
  const spanMs = toMs - fromMs;
  const show = (from: number, width: number): void => {
    const most = Math.min(endMs, Math.max(endMs / 5000, 20, width));
    const start = Math.max(0, Math.min(endMs - most, from));
    setRange(most >= endMs ? null : { fromMs: start, toMs: start + most });
  };
  return {
    fromMs,
    toMs,
    spanMs,
    endMs,
    isWhole: range === null,
    show,
    showSoon: useOncePerFrame(show),
    showAll: () => setRange(null),
    zoom(factor, centreMs) {
      const centre =
        centreMs !== null && centreMs >= fromMs && centreMs <= toMs
          ? centreMs
          : fromMs + spanMs / 2;
      show(centre - (centre - fromMs) * factor, spanMs * factor);
    },
  };
}

/** A pointer can move several times between two frames: only where it was last is shown. */
function useOncePerFrame<T extends readonly unknown[]>(
  action: (...values: T) => void,
): (...values: T) => void {
  const pending = useRef<{ values: T; action: (...values: T) => void } | null>(null);
  return (...values) => {
    const asked = pending.current !== null;
    pending.current = { values, action };
    if (asked) return;
    requestAnimationFrame(() => {
      const last = pending.current;
      pending.current = null;
      last?.action(...last.values);
    });
  };
}
