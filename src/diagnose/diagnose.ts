import type { Evidence } from '../model/evidence.ts';
import type { Finding } from '../model/finding.ts';
import type { Report, SourceReport } from '../model/report.ts';
import { rules as allRules } from '../rules/index.ts';
import type { Rule } from '../rules/define-rule.ts';
import { joinFindings } from './join.ts';
import { toIncident } from './incident.ts';

export interface DiagnoseInput {
  readonly evidence: readonly Evidence[];
  readonly sources: readonly SourceReport[];
  readonly rules?: readonly Rule[];
}

/** Evidence in, verdict out. Pure. */
export function diagnose({ evidence, sources, rules = allRules }: DiagnoseInput): Report {
  const kinds = new Set(evidence.map(({ kind }) => kind));
  const findings: Finding[] = [];
  for (const rule of rules) {
    if (!rule.needs.every((kind) => kinds.has(kind))) continue;
    findings.push(...rule.judge(evidence, { sources }));
  }
  const incidents = joinFindings(findings).map((group) => toIncident(group));
  return { format: 'coroner/1', incidents, sources };
}
