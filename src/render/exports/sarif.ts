import { pathToFileURL } from 'node:url';
import { causes } from '../../model/causes.ts';
import type { Incident, Report, StackFrame } from '../../model/report.ts';
import { safeText, shortened } from '../safe-text.ts';
import { inWords } from '../../model/prose.ts';
import { informativeFrame } from '../../model/stack.ts';

/** SARIF 2.1.0 (OASIS): one result a death, with the place in the code where there is one. */
export function renderSarif(
  report: Report,
  { version, directory }: { readonly version: string; readonly directory: string },
): string {
  const used = [...new Set(report.incidents.map(({ cause }) => cause))];
  return `${JSON.stringify(
    {
      $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 'coroner',
              version,
              rules: used.map((id) => ({
                id,
                shortDescription: { text: causes[id].title },
                help: { text: `coroner explain ${id}` },
              })),
            },
          },
          results: report.incidents.map((incident) =>
            result(incident, used.indexOf(incident.cause), directory),
          ),
        },
      ],
    },
    null,
    1,
  )}\n`;
}

function result(incident: Incident, ruleIndex: number, directory: string): object {
  const { outOfMemory, cause, confidence, headline, because, stack, at, remedies } = incident;
  const frame = informativeFrame(stack);
  const [remedy] = remedies;
  return {
    ruleId: cause,
    ruleIndex,
    // A result that is no failure has no level (SARIF 2.1.0, 3.27.10).
    level: outOfMemory === true ? 'error' : outOfMemory === null ? 'warning' : 'none',
    kind: outOfMemory === false ? 'informational' : 'fail',
    message: {
      text: safeText(
        shortened(`${headline}.${remedy === undefined ? '' : ` ${remedy.title}.`}`, 1000),
      ),
    },
    ...(frame === undefined || frame.file === null || frame.file.startsWith('<')
      ? {}
      : { locations: [location(frame, directory)] }),
    ...(stack.length === 0
      ? {}
      : {
          stacks: [
            {
              message: { text: 'where it died or failed' },
              frames: stack.map((each) => ({ location: location(each, directory) })),
            },
          ],
        }),
    properties: {
      confidence,
      ...(at === null ? {} : { at }),
      evidence: because.map(({ says, place }) => `${safeText(inWords(says))} (${safeText(place)})`),
    },
  };
}

const location = (frame: StackFrame, directory: string): object => ({
  ...(frame.file === null || frame.file.startsWith('<')
    ? {}
    : {
        physicalLocation: {
          artifactLocation: { uri: uriOf(frame.file, directory) },
          ...(frame.line === null || frame.line < 1 ? {} : { region: { startLine: frame.line } }),
        },
      }),
  logicalLocations: [{ name: safeText(frame.function), kind: 'function' }],
});

/** encodeURI() throws on half a surrogate pair, which a name from outside may hold. */
const encoded = (path: string): string => encodeURI(safeText(path));

function uriOf(file: string, directory: string): string {
  if (file.startsWith(`${directory}/`)) return encoded(file.slice(directory.length + 1));
  return file.startsWith('/') ? pathToFileURL(file).href : encoded(file);
}
