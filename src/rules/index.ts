import type { Rule } from './define-rule.ts';

/** Every rule, the most specific explanation of a death first: of equally sure findings the earlier wins. */
export const rules: readonly Rule[] = [];
