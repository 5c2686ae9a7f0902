import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { originOf } from '../../text/lines.ts';

export const metricsId = 'metrics';

/** Figures of one tool, with what they say. */
export const window = (
  input: Input,
  from: number,
  to: number,
  rest: Omit<MetricsWindow, 'kind' | 'origin'>,
): MetricsWindow => ({ kind: 'metrics', origin: originOf(input, metricsId, from, to), ...rest });
