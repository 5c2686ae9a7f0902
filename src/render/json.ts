import type { Report } from '../model/report.ts';

/** The contract, and nothing else on that stream. */
export const renderJson = (report: Report): string => `${JSON.stringify(report, null, 2)}\n`;
