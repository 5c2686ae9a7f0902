/** Finds what the type of Prose lets pass: comparisons of sentences, and words that are taken out of it to be searched. */
import { relative } from 'node:path';
import {
  isAsExpression,
  isBinaryExpression,
  isCallExpression,
  isIdentifier,
  isNewExpression,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isSwitchStatement,
  isTemplateExpression,
  SyntaxKind,
  type Expression,
  type Node,
  type SourceFile,
} from 'typescript/unstable/ast';
import { API, type Checker, type Project, type Type } from 'typescript/unstable/sync';

/** What is wrong, at `src/diagnose/join.ts:79`, and the text of it. */
export interface Decision {
  readonly at: string;
  readonly text: string;
}

const comparisons = new Set<SyntaxKind>([
  SyntaxKind.EqualsEqualsToken,
  SyntaxKind.EqualsEqualsEqualsToken,
  SyntaxKind.ExclamationEqualsToken,
  SyntaxKind.ExclamationEqualsEqualsToken,
  SyntaxKind.LessThanToken,
  SyntaxKind.GreaterThanToken,
]);
const searches =
  /^(?:includes|startsWith|endsWith|match|matchAll|search|indexOf|lastIndexOf|localeCompare|at|charAt|charCodeAt|codePointAt)$/;
/** Who cuts and wraps sentences needs their words; who judges does not. */
const showsWords = /^(?:src\/(?:render|cli|model)|report\/src)\//;
const proseItself = 'src/model/prose.ts';

/** Sources of one tsconfig. `root` is what places are told from. */
export function decisionsOnProse(tsconfig: string, root: string): readonly Decision[] {
  return inProject(tsconfig, root, (project) =>
    project.rootFiles.flatMap((name) => {
      const file = project.program.getSourceFile(name);
      const path = relative(root, name);
      return file === undefined || path === proseItself
        ? []
        : decisionsIn(file, project.checker, path);
    }),
  );
}

/** What the compiler itself says of the sources, one line each. */
export function complaints(tsconfig: string, root: string): readonly string[] {
  return inProject(tsconfig, root, ({ program }) =>
    program.getSemanticDiagnostics().map(({ text }) => text),
  );
}

function inProject<T>(tsconfig: string, root: string, read: (project: Project) => T): T {
  const api = new API({ cwd: root });
  try {
    const [project] = api.updateSnapshot({ openProjects: [tsconfig] }).getProjects();
    if (project === undefined) throw new Error(`${tsconfig} is no project`);
    return read(project);
  } finally {
    api.close();
  }
}

/** Something that must not be done to this expression if it is a sentence. */
interface Suspect {
  readonly of: Expression;
  readonly whole: Node;
}

function decisionsIn(file: SourceFile, checker: Checker, path: string): readonly Decision[] {
  const suspects: Suspect[] = [];
  const found: Node[] = [];
  const collections: Expression[] = [];
  const visit = (node: Node): void => {
    suspects.push(...suspectsIn(node));
    if (isNewExpression(node) && isCollection(node.expression)) collections.push(node);
    if (isInWords(node) && !showsWords.test(path)) found.push(node);
    node.forEachChild(visit);
  };
  visit(file);
  const types =
    suspects.length === 0 ? [] : checker.getTypeAtLocation(suspects.map(({ of }) => of));
  suspects.forEach(({ of, whole }, index) => {
    const type = types[index];
    if (isInWords(of) || (type !== undefined && isProse(type, checker))) found.push(whole);
  });
  const kinds = collections.length === 0 ? [] : checker.getTypeAtLocation(collections);
  collections.forEach((node, index) => {
    const type = kinds[index];
    if (type !== undefined && /^(?:Set|Map)<Prose\b/.test(checker.typeToString(type)))
      found.push(node);
  });
  return [...new Set(found)].map((node) => ({
    at: `${path}:${file.text.slice(0, node.getStart(file)).split('\n').length}`,
    text: file.text.slice(node.getStart(file), node.end),
  }));
}

function suspectsIn(node: Node): readonly Suspect[] {
  const suspect = (...all: readonly Expression[]): readonly Suspect[] =>
    all.flatMap(taken).map((of) => ({ of, whole: node }));
  if (isBinaryExpression(node) && comparisons.has(node.operatorToken.kind))
    return isNothing(node.left) || isNothing(node.right) ? [] : suspect(node.left, node.right);
  if (isSwitchStatement(node)) return suspect(node.expression);
  // Words that are told to be a string.
  if (isAsExpression(node) && node.type.kind === SyntaxKind.StringKeyword)
    return suspect(node.expression);
  if (isCallExpression(node) && isPropertyAccessExpression(node.expression)) {
    const { name, expression } = node.expression;
    if (searches.test(name.text) || name.text === 'toString') return suspect(expression);
    if (name.text === 'test' || name.text === 'exec') return suspect(...node.arguments);
  }
  if (isPropertyAccessExpression(node) && node.name.text === 'length')
    return suspect(node.expression);
  return [];
}

/** Behind brackets, `${…}` and `String(…)`. */
function taken(node: Expression): readonly Expression[] {
  if (isParenthesizedExpression(node)) return taken(node.expression);
  if (isTemplateExpression(node))
    return [...node.templateSpans].flatMap(({ expression }) => taken(expression));
  if (isCallExpression(node) && isIdentifier(node.expression) && node.expression.text === 'String')
    return [...node.arguments].flatMap(taken);
  return [node];
}

const isInWords = (node: Node): boolean =>
  isCallExpression(node) && isIdentifier(node.expression) && node.expression.text === 'inWords';

/** What tells its members apart by comparing them. */
const isCollection = (node: Node): boolean =>
  isIdentifier(node) && (node.text === 'Set' || node.text === 'Map');

const isNothing = (node: Expression): boolean =>
  node.kind === SyntaxKind.NullKeyword || (isIdentifier(node) && node.text === 'undefined');

/** By its name in a union: asking for the members of one may end the compiler's process. */
const isProse = (type: Type, checker: Checker): boolean =>
  type.isUnionType()
    ? checker.typeToString(type).split(' | ').includes('Prose')
    : type.getSymbol()?.name === 'Prose';
