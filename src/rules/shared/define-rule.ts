import { defined } from '../../model/defined.ts';
import type { Evidence, EvidenceKind, EvidenceOf } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import type { Prose } from '../../model/prose.ts';
import type { Reason, SourceReport } from '../../model/report.ts';

/** The evidence a rule asked for, and nothing else. */
type Facts<Need extends EvidenceKind, Use extends EvidenceKind> = {
  readonly [Kind in Need]: readonly [EvidenceOf<Kind>, ...EvidenceOf<Kind>[]];
} & { readonly [Kind in Use]: readonly EvidenceOf<Kind>[] };

export interface RuleContext {
  /** What became of each source: a rule must tell "no kill in the log" from "log not readable". */
  readonly sources: readonly SourceReport[];
}

export interface Rule {
  readonly id: string;
  readonly title: string;
  readonly needs: readonly EvidenceKind[];
  readonly uses: readonly EvidenceKind[];
  /** One finding a death. None: the evidence is there and says this is not the cause. */
  readonly judge: (evidence: readonly Evidence[], context: RuleContext) => readonly Finding[];
}

interface RuleSpec<Need extends EvidenceKind, Use extends EvidenceKind> {
  readonly id: string;
  readonly title: string;
  /** Without one of each of these the rule cannot run. */
  readonly needs: readonly Need[];
  readonly uses?: readonly Use[];
  readonly judge: (facts: Facts<Need, Use>, context: RuleContext) => readonly Finding[];
}

export function defineRule<const Need extends EvidenceKind, const Use extends EvidenceKind = never>(
  spec: RuleSpec<Need, Use>,
): Rule {
  const { id, title, needs, uses = [], judge } = spec;
  return {
    id,
    title,
    needs,
    uses,
    judge: (evidence, context) => {
      const missing = needs.find((kind) => !evidence.some((fact) => fact.kind === kind));
      // diagnose() does not ask a rule then. A test that does would fail somewhere in judge(), on a fact that its type promises.
      if (missing !== undefined)
        throw new Error(`rule ${id} needs evidence of the kind ${missing}, and was given none`);
      const facts = Object.fromEntries(
        [...needs, ...uses].map((kind) => [kind, evidence.filter((fact) => fact.kind === kind)]),
      ) as unknown as Facts<Need, Use>;
      return judge(facts, context);
    },
  };
}

/** A fact as a reason: what it says, with where it was read and its very words. */
export function reason(fact: Evidence, says: Prose): Reason {
  const { source, place, quote, doubt } = fact.origin;
  return { says, source, place, ...defined({ quote, doubt }) };
}
